#include "replay.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace se_hpo {

Batch::Batch(const Kernels& kernels, int batch_size, TransitionLayout layout)
    : kernels_(kernels), batch_size_(batch_size), layout_(layout) {
  const int width = kernels.width;
  const int vectors = (batch_size + width - 1) / width;
  const int n_panels = (vectors + kMaxVectors - 1) / kMaxVectors;
  index_.resize(std::size_t(vectors) * width);
  data_ = Buffer(std::size_t(layout.rows()) * index_.size());
  float* block = data_.data();
  int sample = 0;
  for (int p = 0; p < n_panels; ++p) {
    const int mine = vectors / n_panels + (p < vectors % n_panels);
    const std::size_t n = std::size_t(mine) * width;
    const auto row = [block, n](int r) { return block + std::size_t(r) * n; };
    panels_.push_back({mine, row(0), row(layout.next_state()), row(layout.action()),
                       row(layout.reward()), row(layout.done()), row(layout.next_action()),
                       row(layout.scale())});
    for (std::size_t c = 0; c < n; ++c, ++sample)
      row(layout.scale())[c] = sample < batch_size ? 1.0f : 0.0f;
    block = row(layout.rows());
  }
}

void Batch::gather(const float* rows, std::ptrdiff_t row_size) {
  std::fill(index_.begin() + batch_size_, index_.end(), index_[0]);
  const std::uint32_t* index = index_.data();
  float* block = data_.data();
  for (const TransitionPanel& panel : panels_) {
    kernels_.gather(rows, row_size, index, layout_.stored(), block, panel.vectors);
    const int n = panel.vectors * kernels_.width;
    index += n;
    block += std::size_t(layout_.rows()) * n;
  }
}

Replay::Replay(std::int64_t capacity, TransitionLayout layout)
    : capacity_(capacity), layout_(layout), row_size_((layout.stored() + 15) / 16 * 16) {}

void Replay::grow() {
  const std::int64_t allocated = std::min(capacity_, std::max<std::int64_t>(1024, 2 * allocated_));
  Buffer rows(std::size_t(allocated) * row_size_);
  if (size_ > 0) std::copy(rows_.data(), rows_.data() + size_ * row_size_, rows.data());
  rows_ = std::move(rows);
  allocated_ = allocated;
}

void Replay::add(const float* state, int action, const float* next_state, float reward,
                 float done) {
  const float index = static_cast<float>(action);
  add(state, &index, next_state, reward, done);
}

void Replay::add(const float* state, const float* action, const float* next_state, float reward,
                 float done) {
  if (next_ == allocated_) grow();
  float* row = rows_.data() + next_ * row_size_;
  std::copy(state, state + layout_.obs_size, row);
  std::copy(next_state, next_state + layout_.obs_size, row + layout_.next_state());
  std::copy(action, action + std::max(layout_.action_size, 1), row + layout_.action());
  row[layout_.reward()] = reward;
  row[layout_.done()] = done;
  size_ = std::min(size_ + 1, capacity_);
  next_ = next_ + 1 == capacity_ ? 0 : next_ + 1;
}

void Replay::sample(Random& random, Batch& batch) const {
  const auto n = static_cast<std::uint32_t>(size_);
  for (int i = 0; i < batch.size(); ++i) {
    const std::uint32_t row = random.below(n);
    __builtin_prefetch(rows_.data() + std::int64_t(row) * row_size_);
    batch.index()[i] = row;
  }
  batch.gather(rows_.data(), row_size_);
}

void Replay::first(Batch& batch) const {
  std::iota(batch.index().begin(), batch.index().begin() + batch.size(), 0u);
  batch.gather(rows_.data(), row_size_);
}

}  // namespace se_hpo
