#include "replay.hpp"

#include <algorithm>

namespace se_hpo {

Batch::Batch(const Kernels& kernels, int batch_size, int obs_size)
    : batch_size_(batch_size), obs_size_(obs_size) {
  const int width = kernels.width;
  const int vectors = (batch_size + width - 1) / width;
  const int n_panels = (vectors + kMaxVectors - 1) / kMaxVectors;
  const std::size_t rows = 2 * std::size_t(obs_size) + 4;
  data_ = Buffer(rows * vectors * width);
  float* block = data_.data();
  for (int p = 0; p < n_panels; ++p) {
    const int mine = vectors / n_panels + (p < vectors % n_panels);
    const std::size_t n = std::size_t(mine) * width, obs = n * obs_size;
    panels_.push_back({mine, block, block + obs, block + 2 * obs, block + 2 * obs + n,
                       block + 2 * obs + 2 * n, block + 2 * obs + 3 * n});
    for (std::size_t c = 0; c < n; ++c) {
      const bool real = columns_.size() < std::size_t(batch_size);
      block[2 * obs + 3 * n + c] = real ? 1.0f : 0.0f;
      columns_.push_back({block + c, int(n)});
    }
    block += rows * n;
  }
}

void Batch::write(const Column& at, const float* state, float action, const float* next_state,
                  float reward, float done) {
  float* out = at.block;
  const std::ptrdiff_t stride = at.stride;
  for (int i = 0; i < obs_size_; ++i, out += stride) *out = state[i];
  for (int i = 0; i < obs_size_; ++i, out += stride) *out = next_state[i];
  out[0] = action;
  out[stride] = reward;
  out[2 * stride] = done;
}

void Batch::set(int i, const float* state, float action, const float* next_state, float reward,
                float done) {
  write(columns_[i], state, action, next_state, reward, done);
}

void Batch::pad() {
  const Column& from = columns_[0];
  for (std::size_t i = batch_size_; i < columns_.size(); ++i)
    for (int row = 0; row < 2 * obs_size_ + 3; ++row)
      columns_[i].block[row * std::ptrdiff_t(columns_[i].stride)] =
          from.block[row * std::ptrdiff_t(from.stride)];
}

Replay::Replay(std::int64_t capacity, int obs_size)
    : capacity_(capacity), obs_size_(obs_size), row_((2 * obs_size + 3 + 15) / 16 * 16) {}

void Replay::grow() {
  const std::int64_t allocated = std::min(capacity_, std::max<std::int64_t>(1024, 2 * allocated_));
  Buffer rows(std::size_t(allocated) * row_);
  if (size_ > 0) std::copy(rows_.data(), rows_.data() + size_ * row_, rows.data());
  rows_ = std::move(rows);
  allocated_ = allocated;
}

void Replay::add(const float* state, int action, const float* next_state, float reward,
                 float done) {
  if (next_ == allocated_) grow();
  float* row = rows_.data() + next_ * row_;
  std::copy(state, state + obs_size_, row);
  std::copy(next_state, next_state + obs_size_, row + obs_size_);
  row[2 * obs_size_] = static_cast<float>(action);
  row[2 * obs_size_ + 1] = reward;
  row[2 * obs_size_ + 2] = done;
  size_ = std::min(size_ + 1, capacity_);
  next_ = next_ + 1 == capacity_ ? 0 : next_ + 1;
}

void Replay::sample(Random& random, Batch& batch) const {
  for (int i = 0; i < batch.size(); ++i) {
    const float* row = rows_.data() + std::int64_t(random.below(std::uint32_t(size_))) * row_;
    const float* rest = row + 2 * obs_size_;
    batch.set(i, row, rest[0], row + obs_size_, rest[1], rest[2]);
  }
  batch.pad();
}

}  // namespace se_hpo
