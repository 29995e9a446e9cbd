// Activations and their derivatives. Comparisons are written so that NaN passes through.
#pragma once

#include "kernels.hpp"
#include "vec.hpp"

namespace {

using se_hpo::Activation;

// tanh x = x P(x^2) / Q(x^2), minimax on [-8, 8] and constant beyond: |error| < 5e-7.
struct TanhFraction {
  Vec numerator, denominator;  // 1 <= denominator < 200
};

inline TanhFraction tanh_fraction(Vec x) {
  constexpr float kLimit = 8.0f;
  x = max_vec(min_vec(x, splat(kLimit)), splat(-kLimit));
  const Vec u = x * x;
  Vec p = u * 1.1310205355212136e-05f + 0.0029388258166791687f;
  Vec q = u * 2.4238357926737044e-07f + 0.00023702821550646502f;
  p = p * u + 0.1291363941922207f;
  q = q * u + 0.02376381909700701f;
  p = p * u + 0.9999993620444121f;
  q = q * u + 0.46246738151211897f;
  return {p * x, q * u + 1.0f};
}

inline Vec tanh_vec(Vec x) {
  const TanhFraction f = tanh_fraction(x);
  return f.numerator / f.denominator;
}

// Two at a time share one division, the slowest instruction of all.
inline void tanh_pair(Vec& x, Vec& y) {
  const TanhFraction f = tanh_fraction(x), g = tanh_fraction(y);
  const Vec reciprocal = 1.0f / (f.denominator * g.denominator);
  x = f.numerator * (g.denominator * reciprocal);
  y = g.numerator * (f.denominator * reciprocal);
}

template <Activation kActivation>
inline Vec activate_vec(Vec x, float slope) {
  if constexpr (kActivation == Activation::kTanh) return tanh_vec(x);
  if constexpr (kActivation == Activation::kRelu) return max_vec(x, Vec{});
  if constexpr (kActivation == Activation::kLeakyRelu)
    return x < 0.0f ? x * se_hpo::kLeakySlope : x;
  if constexpr (kActivation == Activation::kPrelu) return x < 0.0f ? x * slope : x;
  return x;
}

// Where tanh is 1 but for rounding (|x| > 7.6; torch's is 1 from 9.01 on), the derivative is
// 0: of however small a gradient, Adam makes a full step.
inline Vec tanh_derivative(Vec h) {
  constexpr float kSmallest = 8e-7f;
  const Vec d = 1.0f - h * h;
  return d < kSmallest ? Vec{} : d;
}

// dy times the derivative. `h` is the activation, for prelu the pre-activation.
template <Activation kActivation>
inline Vec derivative_vec(Vec dy, Vec h, float slope) {
  if constexpr (kActivation == Activation::kTanh) return dy * tanh_derivative(h);
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
    std::size_t i = 0;
    if constexpr (kActivation == Activation::kTanh)
      for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
        Vec a = load(x + i), b = load(x + i + kWidth);
        tanh_pair(a, b);
        store(x + i, a);
        store(x + i + kWidth, b);
      }
    for (; i < n; i += kWidth)
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
