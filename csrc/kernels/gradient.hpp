// Weight gradients dw = dy x^T, summed over the panels of a batch.
//
// Narrow layers (first and last of a small net) keep a whole vector per weight and reduce
// it once per update. Wide ones transpose x, so that the inputs become the SIMD direction
// and no reduction is needed.
#pragma once

#include "matmul.hpp"

namespace {

constexpr int kNarrow = 8;

inline bool is_narrow(int outputs, int inputs) {
  return outputs <= kNarrow || inputs <= kNarrow;
}

inline int padded(int n) { return (n + kWidth - 1) / kWidth * kWidth; }

std::size_t weight_sum_size(int outputs, int inputs) {
  return std::size_t(outputs) * (is_narrow(outputs, inputs) ? inputs * kWidth : padded(inputs));
}

std::size_t scratch_size(int inputs) {
  return std::size_t(padded(inputs)) * kWidth * se_hpo::kMaxVectors;
}

struct Accumulate {
  const float *dy, *x;
  int outputs, inputs;
  float *weight_sum, *bias_sum, *scratch;
  bool first;

  template <int kVectors>
  void operator()() const {
    constexpr int kColumns = kVectors * kWidth;
    for (int o = 0; o < outputs; ++o) {
      Vec total = load(dy + o * kColumns);
      for (int v = 1; v < kVectors; ++v) total += load(dy + o * kColumns + v * kWidth);
      add(bias_sum + o * kWidth, total);
    }
    if (is_narrow(outputs, inputs))
      narrow<kVectors>();
    else
      wide<kVectors>();
  }

 private:
  void add(float* sum, Vec value) const { store(sum, first ? value : load(sum) + value); }

  template <int kVectors>
  void narrow() const {
    if (first)
      narrow_rows<kVectors, true>();
    else
      narrow_rows<kVectors, false>();
  }

  template <int kVectors, bool kFirst>
  void narrow_rows() const {
    constexpr int kColumns = kVectors * kWidth;
    float* out = weight_sum;
    for (int o = 0; o < outputs; ++o) {
      Vec d[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) d[v] = load(dy + o * kColumns + v * kWidth);
      const float* row = x;
      for (int i = 0; i < inputs; ++i, out += kWidth, row += kColumns) {
        Vec total = kFirst ? Vec{} : load(out);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) total += d[v] * load(row + v * kWidth);
        store(out, total);
      }
    }
  }

  // scratch = x transposed: columns x stride, zero beyond the inputs.
  template <int kVectors>
  void transpose_input(int stride) const {
    constexpr int kColumns = kVectors * kWidth;
    for (int i = 0; i < stride; i += kWidth)
      for (int v = 0; v < kVectors; ++v) {
        Vec square[kWidth];
#pragma GCC unroll 16
        for (int r = 0; r < kWidth; ++r)
          square[r] = i + r < inputs ? load(x + (i + r) * kColumns + v * kWidth) : Vec{};
        transpose(square);
#pragma GCC unroll 16
        for (int r = 0; r < kWidth; ++r)
          store(scratch + (v * kWidth + r) * stride + i, square[r]);
      }
  }

  template <int kVectors>
  void wide() const {
    constexpr int kColumns = kVectors * kWidth;
    const int stride = padded(inputs);
    transpose_input<kVectors>(stride);
    int i = 0;
    for (; i + 3 * kWidth <= stride; i += 3 * kWidth) wide_block<3>(i, stride, kColumns);
    if (i + 2 * kWidth == stride) wide_block<2>(i, stride, kColumns);
    if (i + kWidth == stride) wide_block<1>(i, stride, kColumns);
  }

  template <int kBlock>
  void wide_block(int i, int stride, int columns) const {
    const Product p{dy, columns, 1, scratch + i, stride, outputs, columns};
    const auto at = [&](int row, int v) {
      return weight_sum + std::ptrdiff_t(row) * stride + i + v * kWidth;
    };
    const auto finish = [&](int row, int v, Vec value) { store(at(row, v), value); };
    if (first)
      product<kBlock>(p, [](int, int) { return Vec{}; }, finish);
    else
      product<kBlock>(p, [&](int row, int v) { return load(at(row, v)); }, finish);
  }
};

void accumulate(const float* dy, const float* x, int outputs, int inputs, int vectors,
                float* weight_sum, float* bias_sum, float* scratch, bool first) {
  with_vectors(vectors, Accumulate{dy, x, outputs, inputs, weight_sum, bias_sum, scratch, first});
}

// to[i] = sum of the i-th vector of `from`.
void collect_sums(const float* from, int n, float* to) {
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    Vec rows[kWidth];
#pragma GCC unroll 16
    for (int r = 0; r < kWidth; ++r) rows[r] = load(from + std::ptrdiff_t(i + r) * kWidth);
    store(to + i, sums(rows));
  }
  for (; i < n; ++i) to[i] = sum(load(from + std::ptrdiff_t(i) * kWidth));
}

void collect(const float* weight_sum, const float* bias_sum, int outputs, int inputs,
             float* weight_gradient, float* bias_gradient) {
  collect_sums(bias_sum, outputs, bias_gradient);
  if (is_narrow(outputs, inputs)) {
    collect_sums(weight_sum, outputs * inputs, weight_gradient);
  } else {
    const int stride = padded(inputs);
    for (int o = 0; o < outputs; ++o)
      for (int i = 0; i < inputs; ++i)
        weight_gradient[std::ptrdiff_t(o) * inputs + i] =
            weight_sum[std::ptrdiff_t(o) * stride + i];
  }
}

}  // namespace
