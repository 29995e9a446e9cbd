// Layer normalization (Ba et al. 2016) of the columns of a panel, forward and backward.
#pragma once

#include "matmul.hpp"

namespace {

constexpr float kNormEpsilon = 1e-5f;  // torch's default

struct Normalize {
  const float *gain, *shift;
  int rows;
  float *x, *normalized, *inverse_std;

  // In two passes for mean and variance: one would lose digits where the mean is large.
  template <int kVectors>
  void operator()() const {
    constexpr int kColumns = kVectors * kWidth;
    Vec mean[kVectors] = {}, variance[kVectors] = {};
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) mean[v] += load(x + r * kColumns + v * kWidth);
    for (Vec& m : mean) m = m / float(rows);
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const Vec d = load(x + r * kColumns + v * kWidth) - mean[v];
        variance[v] += d * d;
      }
    for (int v = 0; v < kVectors; ++v) {
      variance[v] = 1.0f / sqrt_vec(variance[v] / float(rows) + kNormEpsilon);
      store(inverse_std + v * kWidth, variance[v]);
    }
    scale<kVectors>(mean, variance);
  }

 private:
  template <int kVectors>
  void scale(const Vec (&mean)[kVectors], const Vec (&inverse)[kVectors]) const {
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int at = (r * kVectors + v) * kWidth;
        const Vec n = (load(x + at) - mean[v]) * inverse[v];
        store(normalized + at, n);
        store(x + at, n * gain[r] + shift[r]);
      }
  }
};

void normalize(const float* gain, const float* shift, int rows, float* x, float* normalized,
               float* inverse_std, int vectors) {
  with_vectors(vectors, Normalize{gain, shift, rows, x, normalized, inverse_std});
}

// With g = gain dy: dx = inverse_std (g - mean g - n mean(g n)).
struct NormalizeBackward {
  const float *gain, *normalized, *inverse_std;
  int rows;
  float *dy, *gain_sum, *shift_sum;
  bool first;

  template <int kVectors>
  void operator()() const {
    if (gain_sum) parameters<kVectors>();
    Vec mean[kVectors] = {}, product[kVectors] = {};
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int at = (r * kVectors + v) * kWidth;
        const Vec g = load(dy + at) * gain[r];
        store(dy + at, g);
        mean[v] += g;
        product[v] += g * load(normalized + at);
      }
    for (Vec& m : mean) m = m / float(rows);
    for (Vec& p : product) p = p / float(rows);
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int at = (r * kVectors + v) * kWidth;
        const Vec centered = load(dy + at) - mean[v] - load(normalized + at) * product[v];
        store(dy + at, centered * load(inverse_std + v * kWidth));
      }
  }

 private:
  template <int kVectors>
  void parameters() const {
    for (int r = 0; r < rows; ++r) {
      Vec by_gain = first ? Vec{} : load(gain_sum + r * kWidth);
      Vec by_shift = first ? Vec{} : load(shift_sum + r * kWidth);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int at = (r * kVectors + v) * kWidth;
        by_gain += load(dy + at) * load(normalized + at);
        by_shift += load(dy + at);
      }
      store(gain_sum + r * kWidth, by_gain);
      store(shift_sum + r * kWidth, by_shift);
    }
  }
};

void normalize_backward(const float* gain, const float* normalized, const float* inverse_std,
                        int rows, float* dy, int vectors, float* gain_sum, float* shift_sum,
                        bool first) {
  with_vectors(vectors, NormalizeBackward{gain, normalized, inverse_std, rows, dy, gain_sum,
                                          shift_sum, first});
}

}  // namespace
