// Logarithm and exponential (Cephes, Moshier 1992), and noise from uniform numbers.
#pragma once

#include "vec.hpp"

namespace {

// For x > 0 that is not denormal; relative error below 2e-7, also near 1.
inline Vec log_vec(Vec x) {
  const Mask bits = (Mask)x;
  Mask exponent = (bits >> 23) - 126;
  Vec m = (Vec)((bits & 0x007FFFFF) | 0x3F000000);  // x = m 2^exponent, m in [0.5, 1)
  const Mask low = m < 0.70710678f;
  exponent += low;  // -1 where true
  m = (low ? m + m : m) - 1.0f;
  const Vec e = __builtin_convertvector(exponent, Vec), square = m * m;
  Vec p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  p = p * m * square + e * -2.12194440e-4f - 0.5f * square;
  return m + p + e * 0.693359375f;
}

// For x <= 0, below -87 as at -87; relative error below 2e-7; NaN stays NaN.
inline Vec exp_vec(Vec x) {
  x = max_vec(x, splat(-87.0f));
  const Mask n = __builtin_convertvector(x * 1.44269504f - 0.5f, Mask);
  const Vec whole = __builtin_convertvector(n, Vec);
  const Vec r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  // NaN, which has no integer, comes back in through r.
  return (p * r * r + r + 1.0f) * (Vec)((n + 127) << 23);
}

// Standard Gumbel from u in (0, 1).
inline Vec gumbel_vec(Vec u) { return -log_vec(-log_vec(u)); }

// Standard normal from u in (0, 1): sqrt(2) erfinv(2 u - 1) by Giles (2010).
inline Vec normal_vec(Vec u) {
  const Vec x = u + u - 1.0f, w = -log_vec(4.0f * u * (1.0f - u));
  const Vec c = w - 2.5f, t = sqrt_vec(w) - 3.0f;
  Vec p = c * 2.81022636e-08f + 3.43273939e-07f;
  p = p * c - 3.5233877e-06f;
  p = p * c - 4.39150654e-06f;
  p = p * c + 0.00021858087f;
  p = p * c - 0.00125372503f;
  p = p * c - 0.00417768164f;
  p = p * c + 0.246640727f;
  p = p * c + 1.50140941f;
  Vec q = t * -0.000200214257f + 0.000100950558f;
  q = q * t + 0.00134934322f;
  q = q * t - 0.00367342844f;
  q = q * t + 0.00573950773f;
  q = q * t - 0.0076224613f;
  q = q * t + 0.00943887047f;
  q = q * t + 1.00167406f;
  q = q * t + 2.83297682f;
  return (w < 5.0f ? p : q) * x * 1.41421356f;
}

void gumbel_noise(float* u, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) store(u + i, gumbel_vec(load(u + i)));
}

void normal_noise(float* u, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) store(u + i, normal_vec(load(u + i)));
}

}  // namespace
