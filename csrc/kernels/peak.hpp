// The multiply-adds that this core can do when nothing else holds it up.
#pragma once

#include "vec.hpp"

namespace {

double peak(long rounds, float* sink) {
  constexpr int kChains = 12;  // latency 4 or 5 times 2 units
  Vec chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = splat(*sink + float(i));
  Vec factor = splat(0.999f), term = splat(1e-3f);
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = chains[i] * factor + term;
  }
  Vec total{};
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) total += chains[i];
  *sink = sum(total);
  return 2.0 * kWidth * kChains * double(rounds);
}

}  // namespace
