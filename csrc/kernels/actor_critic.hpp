// What TD3 does between its networks: actions by tanh or Gumbel-softmax (Jang et al. 2017),
// target and errors.
#pragma once

#include "activations.hpp"
#include "elementary.hpp"
#include "kernels.hpp"

namespace {

struct GumbelSoftmax {
  const float *logits, *gumbel;
  int n_actions, columns;
  float inverse_temperature;
  float *soft, *action;

  template <bool kHard>
  inline void column(int c) const {
    const auto at = [&](int a) { return a * columns + c; };
    // Stored before the largest is taken off: contracted to one multiply-add, the largest
    // minus itself would be its rounding error, which for huge logits is huge.
    Vec top = scaled(at(0));
    for (int a = 0; a < n_actions; ++a) {
      const Vec x = scaled(at(a));
      top = x > top ? x : top;
      store(soft + at(a), x);
    }
    Vec sum{};
    for (int a = 0; a < n_actions; ++a) {
      const Vec x = exp_vec(load(soft + at(a)) - top);
      store(soft + at(a), x);
      sum += x;
    }
    Vec best = splat(-1.0f), index{};
    const Vec factor = 1.0f / sum;
    for (int a = 0; a < n_actions; ++a) {
      const Vec x = load(soft + at(a)) * factor;
      store(soft + at(a), x);
      const Mask better = x > best;
      best = better ? x : best;
      index = better ? splat(float(a)) : index;
    }
    for (int a = 0; a < n_actions; ++a) {
      const Vec x = load(soft + at(a));
      // A NaN must not turn into a zero or a one.
      const Vec one_hot = (index == float(a) ? splat(1.0f) : Vec{}) + (x - x);
      store(action + at(a), kHard ? one_hot : x);
    }
  }

 private:
  Vec scaled(int at) const { return (load(logits + at) + load(gumbel + at)) * inverse_temperature; }
};

void gumbel_softmax(const float* logits, const float* gumbel, int n_actions, int vectors,
                    float inverse_temperature, bool hard, float* soft, float* action) {
  const int columns = vectors * kWidth;
  const GumbelSoftmax g{logits, gumbel, n_actions, columns, inverse_temperature, soft, action};
  for (int c = 0; c < columns; c += kWidth)
    if (hard)
      g.column<true>(c);
    else
      g.column<false>(c);
}

void gumbel_softmax_backward(const float* soft, const float* d_action, int n_actions, int vectors,
                             float inverse_temperature, float* d_logits) {
  const int columns = vectors * kWidth;
  for (int c = 0; c < columns; c += kWidth) {
    Vec mean{};
    for (int a = 0; a < n_actions; ++a)
      mean += load(soft + a * columns + c) * load(d_action + a * columns + c);
    for (int a = 0; a < n_actions; ++a) {
      const int at = a * columns + c;
      store(d_logits + at, (load(d_action + at) - mean) * load(soft + at) * inverse_temperature);
    }
  }
}

void tanh_backward(const float* h, const float* dh, std::size_t n, float* dz) {
  for (std::size_t i = 0; i < n; i += kWidth)
    store(dz + i, derivative_vec<Activation::kTanh>(load(dh + i), load(h + i), 0.0f));
}

void add_clipped(float* x, const float* noise, std::size_t n, float factor, float clip) {
  for (std::size_t i = 0; i < n; i += kWidth) {
    const Vec z = min_vec(load(noise + i) * factor, splat(clip));
    store(x + i, load(x + i) + max_vec(z, splat(-clip)));
  }
}

void twin_target(const se_hpo::TransitionPanel& panel, const float* q1, const float* q2,
                 float gamma, float* y) {
  for (int c = 0; c < panel.vectors * kWidth; c += kWidth) {
    const Vec a = load(q1 + c), b = load(q2 + c);
    Vec low = a < b ? a : b;  // b where one is NaN
    low = a == a ? low : a;
    store(y + c, load(panel.reward + c) + gamma * (1.0f - load(panel.done + c)) * low);
  }
}

float value_delta(const se_hpo::TransitionPanel& panel, const float* q, const float* y,
                  float factor, float* delta) {
  Vec total{};
  for (int c = 0; c < panel.vectors * kWidth; c += kWidth) {
    const Vec scale = load(panel.scale + c), error = load(q + c) - load(y + c);
    store(delta + c, error * (scale * factor));
    total += scale * (error * error);
  }
  return sum(total);
}

}  // namespace
