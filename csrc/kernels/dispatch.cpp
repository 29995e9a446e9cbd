// Picks the kernels of the best instruction set that this processor has.
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels.hpp"

namespace se_hpo {

#if defined(__x86_64__)
extern const Kernels kKernels_x86_64_v2, kKernels_x86_64_v3, kKernels_x86_64_v4;

namespace {
// The part of x86-64-v3 whose names not every compiler's __builtin_cpu_supports knows.
bool has_lzcnt_movbe_f16c() {
  unsigned a, b, c, d, extended;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_MOVBE) && (c & bit_F16C) &&
         __get_cpuid(0x80000001, &a, &b, &extended, &d) && (extended & bit_LZCNT);
}

bool has(const char* name) {
  __builtin_cpu_init();
  if (!std::strcmp(name, "x86_64_v4"))
    return has("x86_64_v3") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!std::strcmp(name, "x86_64_v3"))
    return has("x86_64_v2") && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && has_lzcnt_movbe_f16c();
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") &&
         __builtin_cpu_supports("ssse3");
}
const Kernels* const kAll[] = {&kKernels_x86_64_v4, &kKernels_x86_64_v3, &kKernels_x86_64_v2};
}  // namespace
#else
extern const Kernels kKernels_generic;
namespace {
bool has(const char*) { return true; }
const Kernels* const kAll[] = {&kKernels_generic};
}  // namespace
#endif

const Kernels* find_kernels(const char* name) {
  for (const Kernels* kernels : kAll)
    if (!std::strcmp(kernels->name, name)) return has(name) ? kernels : nullptr;
  return nullptr;
}

const Kernels* best_kernels() {
  for (const Kernels* kernels : kAll)
    if (has(kernels->name)) return kernels;
  return nullptr;
}

const char* const* usable_isas() {
  static const char* names[sizeof(kAll) / sizeof(kAll[0]) + 1] = {};
  std::size_t n = 0;
  for (const Kernels* kernels : kAll)
    if (has(kernels->name)) names[n++] = kernels->name;
  names[n] = nullptr;
  return names;
}

}  // namespace se_hpo
