// Activations and their derivatives. Comparisons are written so that NaN passes through.
#pragma once

#include "kernels.hpp"
#include "vec.hpp"

namespace {

using se_hpo::Activation;

// Rational minimax approximation of tanh on [-7.9, 7.9], beyond which it is +-1 in float.
inline Vec tanh_vec(Vec x) {
  constexpr float kLimit = 7.90531110763549805f;
  x = x > kLimit ? splat(kLimit) : x;
  x = x < -kLimit ? splat(-kLimit) : x;
  const Vec x2 = x * x;
  Vec p = splat(-2.76076847742355e-16f);
  p = p * x2 + 2.00018790482477e-13f;
  p = p * x2 + -8.60467152213735e-11f;
  p = p * x2 + 5.12229709037114e-08f;
  p = p * x2 + 1.48572235717979e-05f;
  p = p * x2 + 6.37261928875436e-04f;
  p = p * x2 + 4.89352455891786e-03f;
  Vec q = splat(1.19825839466702e-06f);
  q = q * x2 + 1.18534705686654e-04f;
  q = q * x2 + 2.26843463243900e-03f;
  q = q * x2 + 4.89352518554385e-03f;
  return x * p / q;
}

template <Activation kActivation>
inline Vec activate_vec(Vec x, float slope) {
  if constexpr (kActivation == Activation::kTanh) return tanh_vec(x);
  if constexpr (kActivation == Activation::kRelu) return x < 0.0f ? Vec{} : x;
  if constexpr (kActivation == Activation::kLeakyRelu)
    return x < 0.0f ? x * se_hpo::kLeakySlope : x;
  if constexpr (kActivation == Activation::kPrelu) return x < 0.0f ? x * slope : x;
  return x;
}

// dy times the derivative. `h` is the activation, for prelu the pre-activation.
template <Activation kActivation>
inline Vec derivative_vec(Vec dy, Vec h, float slope) {
  if constexpr (kActivation == Activation::kTanh) return dy * (1.0f - h * h);
  if constexpr (kActivation == Activation::kRelu) return h > 0.0f ? dy : Vec{};
  if constexpr (kActivation == Activation::kLeakyRelu)
    return h > 0.0f ? dy : dy * se_hpo::kLeakySlope;
  if constexpr (kActivation == Activation::kPrelu) return h > 0.0f ? dy : dy * slope;
  return dy;
}

// Calls f with the activation as a compile-time constant.
template <typename F>
inline void with_activation(Activation activation, F f) {
  switch (activation) {
    case Activation::kTanh: return f.template operator()<Activation::kTanh>();
    case Activation::kRelu: return f.template operator()<Activation::kRelu>();
    case Activation::kLeakyRelu: return f.template operator()<Activation::kLeakyRelu>();
    case Activation::kPrelu: return f.template operator()<Activation::kPrelu>();
    case Activation::kLinear: return f.template operator()<Activation::kLinear>();
  }
}

struct ActivateRange {
  float* x;
  std::size_t n;
  float slope;
  template <Activation kActivation>
  void operator()() const {
    for (std::size_t i = 0; i < n; i += kWidth)
      store(x + i, activate_vec<kActivation>(load(x + i), slope));
  }
};

void activate(float* x, std::size_t n, Activation activation, float slope) {
  if (activation == Activation::kLinear) return;
  with_activation(activation, ActivateRange{x, n, slope});
}

float prelu_backward(float* dh, const float* z, std::size_t n, float slope) {
  Vec total{};
  for (std::size_t i = 0; i < n; i += kWidth) {
    const Vec d = load(dh + i), x = load(z + i);
    total += x > 0.0f ? Vec{} : d * x;
    store(dh + i, derivative_vec<Activation::kPrelu>(d, x, slope));
  }
  return sum(total);
}

}  // namespace
