// xoshiro256++ (Blackman & Vigna 2021), one generator per role of a job.
#pragma once

#include <cstddef>
#include <cstdint>

namespace se_hpo {

// What a generator is for. Roles never share a stream, so that a change in one (more
// exploration, say) leaves the draws of the others alone.
enum class Role : std::uint64_t {
  kInit = 1,
  kExploration,
  kReplay,
  kEnv,
  kTest,
  kUpdate,
  kCurve,
  kLearned
};

class Random {
 public:
  Random(std::uint64_t seed, Role role) {
    std::uint64_t mix = seed ^ (static_cast<std::uint64_t>(role) * 0xD1342543DE82EF95u);
    for (auto& word : state_) word = splitmix(mix);
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // In [0, 1), 53 bits.
  double uniform() { return double(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // n numbers in (0, 1), 23 bits: neither they nor their differences from 0 or 1 round.
  void uniform(float* out, std::size_t n) {
    for (std::size_t i = 0; i < n; i += 2) {
      const std::uint64_t bits = next();
      out[i] = open_unit(static_cast<std::uint32_t>(bits >> 41));
      if (i + 1 < n) out[i + 1] = open_unit(static_cast<std::uint32_t>(bits) >> 9);
    }
  }
  // In [0, n), for n < 2^32; the bias is below n / 2^32.
  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32);
  }

 private:
  static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  static float open_unit(std::uint32_t k) { return (float(k) + 0.5f) * 0x1p-23f; }
  static std::uint64_t splitmix(std::uint64_t& x) {
    std::uint64_t z = (x += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_[4];
};

}  // namespace se_hpo
