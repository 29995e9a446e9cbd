// A zeroed float array on a cache line, whose length is padded to whole SIMD vectors.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace se_hpo {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size) {
    constexpr std::size_t kAlignment = 64, kLongest = std::size_t(1) << 40;
    if (size > kLongest) throw std::bad_alloc();
    const std::size_t bytes = (padded_size() * sizeof(float) / kAlignment + 1) * kAlignment;
    data_.reset(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, bytes);
  }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  float& operator[](std::size_t i) { return data_.get()[i]; }
  const float& operator[](std::size_t i) const { return data_.get()[i]; }
  std::size_t size() const { return size_; }
  // Kernels may read and write up to here.
  std::size_t padded_size() const { return (size_ + 15) / 16 * 16; }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace se_hpo
