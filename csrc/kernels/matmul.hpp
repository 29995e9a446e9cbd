// The three matrix products of a dense layer, by one register-tiled micro kernel.
#pragma once

#include "activations.hpp"
#include "kernels.hpp"
#include "vec.hpp"

namespace {

// Rows of the register tile for a given number of column vectors: as many accumulators
// as registers allow beside `vectors` loads and one broadcast.
#if SE_HPO_VECTOR_REGISTERS >= 32
constexpr int kTileRows[] = {0, 12, 12, 8};
#else
constexpr int kTileRows[] = {0, 8, 6, 4};
#endif

// c[m][v] = sum_k a[m * row_stride + k * k_stride] * x[k * x_stride + v], added to c.
template <int kRows, int kVectors>
inline void tile(const float* a, std::ptrdiff_t row_stride, std::ptrdiff_t k_stride,
                 const float* x, std::ptrdiff_t x_stride, int k_count,
                 Vec (&c)[kRows][kVectors]) {
  for (int k = 0; k < k_count; ++k, a += k_stride, x += x_stride) {
    Vec xs[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) xs[v] = load(x + v * kWidth);
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) {
      const float w = a[m * row_stride];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) c[m][v] += xs[v] * w;
    }
  }
}

struct Product {
  const float* a;
  std::ptrdiff_t row_stride, k_stride;
  const float* x;
  std::ptrdiff_t x_stride;
  int rows, k_count;
};

// One tile from row `m`; `start(row, v)` gives the initial value of an accumulator,
// `finish(row, v, value)` takes the result.
template <int kRows, int kVectors, typename Start, typename Finish>
inline void product_tile(const Product& p, int m, Start start, Finish finish) {
  Vec c[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) c[i][v] = start(m + i, v);
  tile<kRows, kVectors>(p.a + m * p.row_stride, p.row_stride, p.k_stride, p.x, p.x_stride,
                        p.k_count, c);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) finish(m + i, v, c[i][v]);
}

template <int kRows, int kVectors, typename Start, typename Finish>
inline void product_rest(const Product& p, int m, Start start, Finish finish) {
  if constexpr (kRows > 0) {
    if (p.rows - m == kRows)
      product_tile<kRows, kVectors>(p, m, start, finish);
    else
      product_rest<kRows - 1, kVectors>(p, m, start, finish);
  }
}

template <int kVectors, typename Start, typename Finish>
inline void product(const Product& p, Start start, Finish finish) {
  constexpr int kRows = kTileRows[kVectors];
  int m = 0;
  for (; m + kRows <= p.rows; m += kRows) product_tile<kRows, kVectors>(p, m, start, finish);
  product_rest<kRows - 1, kVectors>(p, m, start, finish);
}

template <typename F>
inline void with_vectors(int vectors, F f) {
  static_assert(se_hpo::kMaxVectors == 3);
  if (vectors == 3) return f.template operator()<3>();
  if (vectors == 2) return f.template operator()<2>();
  return f.template operator()<1>();
}

template <Activation kActivation>
struct Forward {
  const float *w, *b;
  int outputs, inputs;
  const float* x;
  float* y;
  template <int kVectors>
  void operator()() const {
    constexpr int kColumns = kVectors * kWidth;
    product<kVectors>(
        Product{w, inputs, 1, x, kColumns, outputs, inputs},
        [this](int row, int) { return splat(b[row]); },
        [this](int row, int v, Vec value) {
          store(y + row * kColumns + v * kWidth, activate_vec<kActivation>(value, 0.0f));
        });
  }
};

// Cheap activations are applied to the register tile, tanh by a pass of its own.
void forward(const float* w, const float* b, int outputs, int inputs, const float* x, float* y,
             int vectors, Activation activation) {
  if (activation == Activation::kRelu)
    return with_vectors(vectors, Forward<Activation::kRelu>{w, b, outputs, inputs, x, y});
  if (activation == Activation::kLeakyRelu)
    return with_vectors(vectors, Forward<Activation::kLeakyRelu>{w, b, outputs, inputs, x, y});
  with_vectors(vectors, Forward<Activation::kLinear>{w, b, outputs, inputs, x, y});
  if (activation == Activation::kTanh)
    activate(y, std::size_t(outputs) * vectors * kWidth, activation, 0.0f);
}

template <Activation kActivation>
struct BackwardInput {
  const float* w;
  int outputs, inputs;
  const float *dy, *h;
  float* dx;
  template <int kVectors>
  void operator()() const {
    constexpr int kColumns = kVectors * kWidth;
    product<kVectors>(
        Product{w, 1, inputs, dy, kColumns, inputs, outputs},
        [](int, int) { return Vec{}; },
        [this](int row, int v, Vec value) {
          const std::ptrdiff_t at = row * kColumns + v * kWidth;
          if constexpr (kActivation != Activation::kLinear)
            value = derivative_vec<kActivation>(value, load(h + at), 0.0f);
          store(dx + at, value);
        });
  }
};

void backward_input(const float* w, int outputs, int inputs, const float* dy, const float* h,
                    float* dx, int vectors, Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return with_vectors(
          vectors, BackwardInput<Activation::kTanh>{w, outputs, inputs, dy, h, dx});
    case Activation::kRelu:
      return with_vectors(
          vectors, BackwardInput<Activation::kRelu>{w, outputs, inputs, dy, h, dx});
    case Activation::kLeakyRelu:
      return with_vectors(
          vectors, BackwardInput<Activation::kLeakyRelu>{w, outputs, inputs, dy, h, dx});
    default:
      return with_vectors(
          vectors, BackwardInput<Activation::kLinear>{w, outputs, inputs, dy, h, dx});
  }
}

}  // namespace
