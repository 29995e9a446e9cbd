// SIMD vectors of the width this file is compiled for, by GCC/Clang vector extensions.
//
// Included only by isa.cpp, which is compiled once per instruction set. Everything is in
// an unnamed namespace: a function compiled for AVX-512 must never be merged by the
// linker with its namesake of another instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {

constexpr int kWidth = SE_HPO_VECTOR_BYTES / 4;

typedef float Vec __attribute__((vector_size(SE_HPO_VECTOR_BYTES)));
typedef std::int32_t Mask __attribute__((vector_size(SE_HPO_VECTOR_BYTES)));
typedef float UnalignedVec
    __attribute__((vector_size(SE_HPO_VECTOR_BYTES), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
inline void store(float* p, Vec x) { *reinterpret_cast<UnalignedVec*>(p) = x; }

inline Vec splat(float x) {
  Vec v;
  for (int i = 0; i < kWidth; ++i) v[i] = x;
  return v;
}

inline float sum(Vec v) {
  float s[kWidth];
  store(s, v);
  for (int n = kWidth / 2; n > 0; n /= 2)
    for (int i = 0; i < n; ++i) s[i] += s[i + n];
  return s[0];
}

}  // namespace
