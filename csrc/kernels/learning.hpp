// The double Q-learning target, and Adam with Polyak averaging.
#pragma once

#include "kernels.hpp"
#include "vec.hpp"

namespace {

float double_q_delta(const se_hpo::TransitionPanel& panel, const float* q, const float* q_next,
                     const float* q_target, int n_actions, float gamma, float factor,
                     float* delta) {
  const int columns = panel.vectors * kWidth;
  Vec total{};
  for (int c = 0; c < columns; c += kWidth) {
    const Vec action = load(panel.action + c);
    Vec best = load(q_next + c), value = load(q_target + c), taken = load(q + c);
    for (int a = 1; a < n_actions; ++a) {
      const Vec next = load(q_next + a * columns + c);
      const Mask better = next > best;
      best = better ? next : best;
      value = better ? load(q_target + a * columns + c) : value;
      taken = action == float(a) ? load(q + a * columns + c) : taken;
    }
    const Vec target = load(panel.reward + c) + gamma * (1.0f - load(panel.done + c)) * value;
    const Vec scale = load(panel.scale + c), error = taken - target;
    const Vec gradient = error * (scale * factor);
    for (int a = 0; a < n_actions; ++a)
      store(delta + a * columns + c, action == float(a) ? gradient : Vec{});
    total += scale * (error * error);
  }
  return sum(total);
}

struct AdamVec {
  const se_hpo::AdamStep& step;
  inline void operator()(Vec& p, Vec& m, Vec& v, Vec g) const {
    // 1 - beta as literals: 1.0f - 0.999f is off by 1e-5.
    constexpr float kBeta2 = 0.999f, kOneMinusBeta1 = 0.1f, kOneMinusBeta2 = 0.001f;
    m = m + kOneMinusBeta1 * (g - m);
    v = kBeta2 * v + kOneMinusBeta2 * (g * g);
    p = p - step.step_size * m / (sqrt_vec(v) * step.inverse_root + step.epsilon);
  }
};

// n is a multiple of the width.
void adam_polyak(float* parameters, float* target, float* m, float* v, const float* gradient,
                 std::size_t n, const se_hpo::AdamStep& step) {
  const AdamVec adam_vec{step};
  for (std::size_t i = 0; i < n; i += kWidth) {
    Vec p = load(parameters + i), t = load(target + i), mi = load(m + i), vi = load(v + i);
    adam_vec(p, mi, vi, load(gradient + i));
    t = t + step.tau * (p - t);
    store(parameters + i, p);
    store(target + i, t);
    store(m + i, mi);
    store(v + i, vi);
  }
}

void adam(float* parameters, float* m, float* v, const float* gradient, std::size_t n,
          const se_hpo::AdamStep& step) {
  const AdamVec adam_vec{step};
  for (std::size_t i = 0; i < n; i += kWidth) {
    Vec p = load(parameters + i), mi = load(m + i), vi = load(v + i);
    adam_vec(p, mi, vi, load(gradient + i));
    store(parameters + i, p);
    store(m + i, mi);
    store(v + i, vi);
  }
}

}  // namespace
