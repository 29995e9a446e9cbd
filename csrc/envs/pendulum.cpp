// Pendulum, as in Gymnasium's pendulum.py: gravity 10, mass and length 1.
#include <algorithm>
#include <cmath>

#include "environment.hpp"

namespace se_hpo {
namespace {

constexpr double kPi = 3.14159265358979323846, kSeconds = 0.05, kMaxSpeed = 8.0;
constexpr float kMaxTorque = 2.0f;

// As NumPy, by pow: x * x can differ in its last bit, and is what a constant 2 becomes.
template <typename Real>
Real squared(Real x) {
  volatile Real two = 2;
  return std::pow(x, Real(two));
}

// The same angle in [-pi, pi).
double normalized(double angle) {
  const double rest = std::fmod(angle + kPi, 2 * kPi);
  return (rest < 0 ? rest + 2 * kPi : rest) - kPi;
}

class Pendulum final : public NativeTask {
 public:
  explicit Pendulum(Random random) : NativeTask(random) { state.resize(2); }

  Step step(Action action, float* obs) override {
    double &angle = state[0], &speed = state[1];  // angle 0 is up
    const float torque = std::clamp(kMaxTorque * action.values[0], -kMaxTorque, kMaxTorque);
    const double cost =
        squared(normalized(angle)) + 0.1 * squared(speed) + double(0.001f * squared(torque));
    speed += (15.0 * std::sin(angle) + double(3.0f * torque)) * kSeconds;
    speed = std::clamp(speed, -kMaxSpeed, kMaxSpeed);
    angle += speed * kSeconds;
    observe(obs);
    return {-cost, 0.0f, false, false};
  }

  void observe(float* obs) const override {
    obs[0] = static_cast<float>(std::cos(state[0]));
    obs[1] = static_cast<float>(std::sin(state[0]));
    obs[2] = static_cast<float>(state[1]);
  }

 private:
  void draw_state() override { state = {random_.uniform(-kPi, kPi), random_.uniform(-1, 1)}; }
};

}  // namespace

std::unique_ptr<NativeTask> make_pendulum(Random random, const Fields&) {
  return std::make_unique<Pendulum>(random);
}

}  // namespace se_hpo
