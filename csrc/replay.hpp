// Replay buffer that grows as needed, and the batches drawn from it.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "random.hpp"

namespace se_hpo {

// A batch of transitions, split into panels of nearly equal width.
class Batch {
 public:
  Batch(const Kernels& kernels, int batch_size, int obs_size);

  int size() const { return batch_size_; }
  const std::vector<TransitionPanel>& panels() const { return panels_; }
  // Sample i becomes (state, action, next_state, reward, done).
  void set(int i, const float* state, float action, const float* next_state, float reward,
           float done);
  // Fills the padding columns with copies of sample 0. Call after all samples are set.
  void pad();

 private:
  struct Column {
    float* block;  // first row of its panel, at this column
    int stride;    // columns of the panel
  };
  void write(const Column& at, const float* state, float action, const float* next_state,
             float reward, float done);

  int batch_size_, obs_size_;
  Buffer data_;
  std::vector<TransitionPanel> panels_;
  std::vector<Column> columns_;  // samples, then padding
};

class Replay {
 public:
  Replay(std::int64_t capacity, int obs_size);

  // Overwrites the oldest transition when full.
  void add(const float* state, int action, const float* next_state, float reward, float done);
  std::int64_t size() const { return size_; }
  // Uniformly, with replacement.
  void sample(Random& random, Batch& batch) const;

 private:
  void grow();

  std::int64_t capacity_, size_ = 0, next_ = 0, allocated_ = 0;
  int obs_size_, row_;
  Buffer rows_;  // state, next state, action, reward, done; whole cache lines
};

}  // namespace se_hpo
