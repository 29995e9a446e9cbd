// CartPole (Barto, Sutton & Anderson 1983), as in Gymnasium's cartpole.py.
#include <cmath>

#include "environment.hpp"

namespace se_hpo {
namespace {

constexpr double kGravity = 9.8, kPoleMass = 0.1, kTotalMass = 1.0 + kPoleMass;
constexpr double kHalfLength = 0.5, kPoleMassLength = kPoleMass * kHalfLength;
constexpr double kForce = 10.0, kSeconds = 0.02;
constexpr double kPi = 3.14159265358979323846;
constexpr double kAngleLimit = 12 * 2 * kPi / 360, kPositionLimit = 2.4;

class CartPole final : public NativeTask {
 public:
  explicit CartPole(Random random) : NativeTask(random) { state.resize(4); }

  Step step(Action action, float* obs) override {
    double &x = state[0], &x_dot = state[1], &theta = state[2], &theta_dot = state[3];
    const double force = action.index == 1 ? kForce : -kForce;
    const double cosine = std::cos(theta), sine = std::sin(theta);
    const double temp =
        (force + kPoleMassLength * (theta_dot * theta_dot) * sine) / kTotalMass;
    const double theta_acc =
        (kGravity * sine - cosine * temp) /
        (kHalfLength * (4.0 / 3.0 - kPoleMass * (cosine * cosine) / kTotalMass));
    const double x_acc = temp - kPoleMassLength * theta_acc * cosine / kTotalMass;
    x += kSeconds * x_dot;
    x_dot += kSeconds * x_acc;
    theta += kSeconds * theta_dot;
    theta_dot += kSeconds * theta_acc;
    const bool fell = x < -kPositionLimit || x > kPositionLimit || theta < -kAngleLimit ||
                      theta > kAngleLimit;
    observe(obs);
    return {1.0, fell ? 1.0f : 0.0f, fell, false};
  }

  void observe(float* obs) const override {
    for (int i = 0; i < 4; ++i) obs[i] = static_cast<float>(state[i]);
  }

 private:
  void draw_state() override {
    for (double& value : state) value = random_.uniform(-0.05, 0.05);
  }
};

}  // namespace

std::unique_ptr<NativeTask> make_cartpole(Random random, const Fields&) {
  return std::make_unique<CartPole>(random);
}

}  // namespace se_hpo
