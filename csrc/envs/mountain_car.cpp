// MountainCar (Moore 1990), as in Gymnasium's mountain_car.py.
#include <algorithm>
#include <cmath>

#include "environment.hpp"

namespace se_hpo {
namespace {

constexpr double kMinPosition = -1.2, kMaxPosition = 0.6, kGoal = 0.5;
constexpr double kMaxSpeed = 0.07, kForce = 0.001, kGravity = 0.0025;

class MountainCar final : public NativeTask {
 public:
  explicit MountainCar(Random random) : NativeTask(random) { state.resize(2); }

  Step step(Action action, float* obs) override {
    double &position = state[0], &velocity = state[1];
    velocity += (action.index - 1) * kForce + std::cos(3 * position) * -kGravity;
    velocity = std::clamp(velocity, -kMaxSpeed, kMaxSpeed);
    position = std::clamp(position + velocity, kMinPosition, kMaxPosition);
    if (position == kMinPosition && velocity < 0) velocity = 0;
    const bool there = position >= kGoal && velocity >= 0;
    observe(obs);
    return {-1.0, there ? 1.0f : 0.0f, there, false};
  }

  void observe(float* obs) const override {
    for (int i = 0; i < 2; ++i) obs[i] = static_cast<float>(state[i]);
  }

 private:
  void draw_state() override { state = {random_.uniform(-0.6, -0.4), 0.0}; }
};

}  // namespace

std::unique_ptr<NativeTask> make_mountain_car(Random random, const Fields&) {
  return std::make_unique<MountainCar>(random);
}

}  // namespace se_hpo
