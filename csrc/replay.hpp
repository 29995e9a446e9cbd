// Replay buffer that grows as needed, and the batches drawn from it.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "random.hpp"

namespace se_hpo {

// A batch of transitions, split into panels of nearly equal width. A panel's rows are
// state, next state, action, reward, done, scale; the last panel's surplus columns hold
// copies of sample 0 with scale 0.
class Batch {
 public:
  Batch(const Kernels& kernels, int batch_size, int obs_size);

  int size() const { return batch_size_; }
  const std::vector<TransitionPanel>& panels() const { return panels_; }
  // Sample i becomes row index()[i] of `rows`.
  std::vector<std::uint32_t>& index() { return index_; }
  void gather(const float* rows, std::ptrdiff_t row_size);

 private:
  const Kernels& kernels_;
  int batch_size_, obs_size_;
  Buffer data_;
  std::vector<TransitionPanel> panels_;
  std::vector<std::uint32_t> index_;  // one per column
};

// Transitions in rows of state, next state, action, reward, done; whole cache lines.
class Replay {
 public:
  Replay(std::int64_t capacity, int obs_size);

  // Overwrites the oldest transition when full.
  void add(const float* state, int action, const float* next_state, float reward, float done);
  std::int64_t size() const { return size_; }
  // Uniformly, with replacement.
  void sample(Random& random, Batch& batch) const;
  // All transitions up to the batch size, in order.
  void first(Batch& batch) const;

 private:
  void grow();

  std::int64_t capacity_, size_ = 0, next_ = 0, allocated_ = 0;
  int obs_size_, row_size_;
  Buffer rows_;
};

}  // namespace se_hpo
