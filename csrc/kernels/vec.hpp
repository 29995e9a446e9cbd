// SIMD vectors of the width this file is compiled for, by GCC/Clang vector extensions.
//
// Included only by isa.cpp, which is compiled once per instruction set. Everything is in
// an unnamed namespace: a function compiled for AVX-512 must never be merged by the
// linker with its namesake of another instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr int kWidth = SE_HPO_VECTOR_BYTES / 4;

typedef float Vec __attribute__((vector_size(SE_HPO_VECTOR_BYTES)));
typedef std::int32_t Mask __attribute__((vector_size(SE_HPO_VECTOR_BYTES)));
typedef float UnalignedVec
    __attribute__((vector_size(SE_HPO_VECTOR_BYTES), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
inline void store(float* p, Vec x) { *reinterpret_cast<UnalignedVec*>(p) = x; }

inline Vec splat(float x) { return x - Vec{}; }

// min(x, limit) and max(x, limit) that pass a NaN in x through.
#if defined(__AVX512F__)
inline Vec min_vec(Vec x, Vec limit) { return _mm512_min_ps(limit, x); }
inline Vec max_vec(Vec x, Vec limit) { return _mm512_max_ps(limit, x); }
inline Vec sqrt_vec(Vec x) { return _mm512_sqrt_ps(x); }
#elif defined(__AVX2__)
inline Vec min_vec(Vec x, Vec limit) { return _mm256_min_ps(limit, x); }
inline Vec max_vec(Vec x, Vec limit) { return _mm256_max_ps(limit, x); }
inline Vec sqrt_vec(Vec x) { return _mm256_sqrt_ps(x); }
#elif defined(__x86_64__)
inline Vec min_vec(Vec x, Vec limit) { return _mm_min_ps(limit, x); }
inline Vec max_vec(Vec x, Vec limit) { return _mm_max_ps(limit, x); }
inline Vec sqrt_vec(Vec x) { return _mm_sqrt_ps(x); }
#else
inline Vec min_vec(Vec x, Vec limit) { return x > limit ? limit : x; }
inline Vec max_vec(Vec x, Vec limit) { return x < limit ? limit : x; }
inline Vec sqrt_vec(Vec x) {
  for (int i = 0; i < kWidth; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
#endif

// Blocks of kBlock columns with odd number swap places between the rows a and b.
template <int kBlock, std::size_t... kColumn>
inline void swap_blocks(Vec& a, Vec& b, std::index_sequence<kColumn...>) {
  const Vec upper = __builtin_shufflevector(
      a, b, (kColumn & kBlock ? kWidth + kColumn - kBlock : kColumn)...);
  b = __builtin_shufflevector(a, b,
                              (kColumn & kBlock ? kWidth + kColumn : kColumn + kBlock)...);
  a = upper;
}

// Transposes a square of vectors (Eklundh 1972).
template <int kBlock = kWidth / 2>
inline void transpose(Vec (&rows)[kWidth]) {
#pragma GCC unroll 16
  for (int i = 0; i < kWidth; ++i)
    if (!(i & kBlock))
      swap_blocks<kBlock>(rows[i], rows[i + kBlock], std::make_index_sequence<kWidth>());
  if constexpr (kBlock > 1) transpose<kBlock / 2>(rows);
}

// The sums of the elements of kWidth vectors.
inline Vec sums(Vec (&rows)[kWidth]) {
  transpose(rows);
#pragma GCC unroll 4
  for (int n = kWidth / 2; n > 0; n /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) rows[i] += rows[i + n];
  return rows[0];
}

inline float sum(Vec v) {
  float s[kWidth];
  store(s, v);
  for (int n = kWidth / 2; n > 0; n /= 2)
    for (int i = 0; i < n; ++i) s[i] += s[i + n];
  return s[0];
}

}  // namespace
