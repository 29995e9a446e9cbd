// MountainCarContinuous (Moore 1990), as in Gymnasium's continuous_mountain_car.py: in double
// precision from its first state, then in float32 as its state is.
#include <algorithm>
#include <cmath>

#include "environment.hpp"

namespace se_hpo {
namespace {

constexpr double kMinPosition = -1.2, kMaxPosition = 0.6, kGoal = 0.45;
constexpr double kMaxSpeed = 0.07, kPower = 0.0015, kGravity = 0.0025;

// What NumPy makes of velocity += force * power - gravity: a clipped force is a Python float.
template <typename Real>
Real velocity_change(double position, float action) {
  const double pull = kGravity * std::cos(double(Real(3) * Real(position)));
  if (std::abs(action) <= 1)
    return Real(action * static_cast<float>(kPower) - static_cast<float>(pull));
  return Real(std::copysign(kPower, action) - pull);
}

class MountainCarContinuous final : public NativeTask {
 public:
  explicit MountainCarContinuous(Random random) : NativeTask(random) { state.resize(2); }

  // The reward takes the action as it is, the force clipped to [-1, 1].
  Step step(Action action, float* obs) override {
    const float force = action.values[0];
    const bool there = first_ ? move<double>(force) : move<float>(force);
    first_ = false;
    observe(obs);
    const double cost = double(force) * double(force) * 0.1;
    return {(there ? 100.0 : 0.0) - cost, there ? 1.0f : 0.0f, there, false};
  }

  void observe(float* obs) const override {
    for (int i = 0; i < 2; ++i) obs[i] = static_cast<float>(state[i]);
  }

 private:
  // Whether it is at the goal.
  template <typename Real>
  bool move(float force) {
    Real position = Real(state[0]), velocity = Real(state[1]);
    velocity += velocity_change<Real>(state[0], force);
    velocity = std::clamp(velocity, Real(-kMaxSpeed), Real(kMaxSpeed));
    position = std::clamp(position + velocity, Real(kMinPosition), Real(kMaxPosition));
    if (position == Real(kMinPosition) && velocity < 0) velocity = 0;
    state = {static_cast<float>(position), static_cast<float>(velocity)};
    return position >= Real(kGoal) && velocity >= 0;
  }

  void draw_state() override {
    state = {random_.uniform(-0.6, -0.4), 0.0};
    first_ = true;
  }

  bool first_ = true;
};

}  // namespace

std::unique_ptr<NativeTask> make_mountain_car_continuous(Random random, const Fields&) {
  return std::make_unique<MountainCarContinuous>(random);
}

}  // namespace se_hpo
