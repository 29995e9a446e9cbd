// Dense layers for one sample, SIMD over the outputs (hidden layers of a fixed net) or
// over the inputs (its output layer).
#pragma once

#include "activations.hpp"

namespace {

template <int kBlock, Activation kActivation>
inline void vector_block(const float* w, const float* b, int inputs, int stride, const float* x,
                         float* y) {
  Vec total[kBlock];
#pragma GCC unroll 8
  for (int v = 0; v < kBlock; ++v) total[v] = load(b + v * kWidth);
  for (int i = 0; i < inputs; ++i, w += stride)
#pragma GCC unroll 8
    for (int v = 0; v < kBlock; ++v) total[v] += load(w + v * kWidth) * x[i];
#pragma GCC unroll 8
  for (int v = 0; v < kBlock; ++v)
    store(y + v * kWidth, activate_vec<kActivation>(total[v], se_hpo::kPreluSlope));
}

struct VectorForward {
  const float *w, *b;
  int inputs, stride;
  const float* x;
  float* y;
  template <Activation kActivation>
  void operator()() const {
    int o = 0;
    for (; o + 6 * kWidth <= stride; o += 6 * kWidth)
      vector_block<6, kActivation>(w + o, b + o, inputs, stride, x, y + o);
    for (; o < stride; o += kWidth)
      vector_block<1, kActivation>(w + o, b + o, inputs, stride, x, y + o);
  }
};

void vector_forward(const float* w, const float* b, int inputs, int stride, const float* x,
                    float* y, Activation activation) {
  with_activation(activation, VectorForward{w, b, inputs, stride, x, y});
}

void vector_output(const float* w, const float* b, int outputs, int stride, const float* x,
                   float* y) {
  for (int o = 0; o < outputs; ++o, w += stride) {
    Vec even{}, odd{};
    int i = 0;
    for (; i + 2 * kWidth <= stride; i += 2 * kWidth) {
      even += load(w + i) * load(x + i);
      odd += load(w + i + kWidth) * load(x + i + kWidth);
    }
    if (i < stride) even += load(w + i) * load(x + i);
    y[o] = b[o] + sum(even + odd);
  }
}

}  // namespace
