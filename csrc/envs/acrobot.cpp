// Acrobot (Sutton 1996), the book's equations, as in Gymnasium's acrobot.py.
#include <algorithm>
#include <array>
#include <cmath>

#include "environment.hpp"

namespace se_hpo {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kSeconds = 0.2, kGravity = 9.8;
constexpr double kMaxVelocity1 = 4 * kPi, kMaxVelocity2 = 9 * kPi;
// Both links: length 1, mass 1, center of mass at half length, moment of inertia 1.
constexpr double kLength = 1.0, kMass = 1.0, kCenter = 0.5, kInertia = 1.0;

using State = std::array<double, 4>;  // two angles, two angular velocities

State derivative(const State& s, double torque) {
  const double theta1 = s[0], theta2 = s[1], dtheta1 = s[2], dtheta2 = s[3];
  const double cosine2 = std::cos(theta2), sine2 = std::sin(theta2);
  const double d1 = kMass * kCenter * kCenter +
                    kMass * (kLength * kLength + kCenter * kCenter +
                             2 * kLength * kCenter * cosine2) +
                    kInertia + kInertia;
  const double d2 = kMass * (kCenter * kCenter + kLength * kCenter * cosine2) + kInertia;
  const double phi2 = kMass * kCenter * kGravity * std::cos(theta1 + theta2 - kPi / 2.0);
  const double phi1 = -kMass * kLength * kCenter * dtheta2 * dtheta2 * sine2 -
                      2 * kMass * kLength * kCenter * dtheta2 * dtheta1 * sine2 +
                      (kMass * kCenter + kMass * kLength) * kGravity *
                          std::cos(theta1 - kPi / 2) +
                      phi2;
  const double ddtheta2 = (torque + d2 / d1 * phi1 -
                           kMass * kLength * kCenter * dtheta1 * dtheta1 * sine2 - phi2) /
                          (kMass * kCenter * kCenter + kInertia - d2 * d2 / d1);
  const double ddtheta1 = -(d2 * ddtheta2 + phi1) / d1;
  return {dtheta1, dtheta2, ddtheta1, ddtheta2};
}

State add(const State& s, double factor, const State& d) {
  return {s[0] + factor * d[0], s[1] + factor * d[1], s[2] + factor * d[2],
          s[3] + factor * d[3]};
}

State runge_kutta(const State& s, double torque) {
  const State k1 = derivative(s, torque);
  const State k2 = derivative(add(s, kSeconds / 2, k1), torque);
  const State k3 = derivative(add(s, kSeconds / 2, k2), torque);
  const State k4 = derivative(add(s, kSeconds, k3), torque);
  State next;
  for (int i = 0; i < 4; ++i)
    next[i] = s[i] + kSeconds / 6.0 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  return next;
}

double wrap(double angle) {
  while (angle > kPi) angle -= 2 * kPi;
  while (angle < -kPi) angle += 2 * kPi;
  return angle;
}

class Acrobot final : public NativeTask {
 public:
  explicit Acrobot(Random random) : NativeTask(random) { state.resize(4); }

  Step step(Action action, float* obs) override {
    const State next = runge_kutta({state[0], state[1], state[2], state[3]}, action.index - 1.0);
    state[0] = wrap(next[0]);
    state[1] = wrap(next[1]);
    state[2] = std::clamp(next[2], -kMaxVelocity1, kMaxVelocity1);
    state[3] = std::clamp(next[3], -kMaxVelocity2, kMaxVelocity2);
    const bool up = -std::cos(state[0]) - std::cos(state[1] + state[0]) > 1.0;
    observe(obs);
    return {up ? 0.0 : -1.0, up ? 1.0f : 0.0f, up, false};
  }

  void observe(float* obs) const override {
    obs[0] = static_cast<float>(std::cos(state[0]));
    obs[1] = static_cast<float>(std::sin(state[0]));
    obs[2] = static_cast<float>(std::cos(state[1]));
    obs[3] = static_cast<float>(std::sin(state[1]));
    obs[4] = static_cast<float>(state[2]);
    obs[5] = static_cast<float>(state[3]);
  }

 private:
  void draw_state() override {
    for (double& value : state) value = static_cast<float>(random_.uniform(-0.1, 0.1));
  }
};

}  // namespace

std::unique_ptr<NativeTask> make_acrobot(Random random, const Fields&) {
  return std::make_unique<Acrobot>(random);
}

}  // namespace se_hpo
