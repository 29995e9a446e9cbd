// Replay buffer that grows as needed, and the batches drawn from it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "random.hpp"

namespace se_hpo {

// Where a stored transition and a panel have what. Action vectors follow the states, so
// that a state-action critic finds its input in one piece.
//   index:  state, next state, action, reward, done | scale
//   vector: state, action, reward, done, next state | next action, scale
struct TransitionLayout {
  int obs_size;
  int action_size = 0;  // 0: actions are indices

  TransitionLayout(int obs, int action = 0) : obs_size(obs), action_size(action) {}

  int stored() const { return 2 * obs_size + std::max(action_size, 1) + 2; }
  int rows() const { return stored() + action_size + 1; }
  int action() const { return action_size ? obs_size : 2 * obs_size; }
  int reward() const { return action() + std::max(action_size, 1); }
  int done() const { return reward() + 1; }
  int next_state() const { return action_size ? done() + 1 : obs_size; }
  int next_action() const { return stored(); }
  int scale() const { return rows() - 1; }
};

// A batch of transitions, split into panels of nearly equal width. The last panel's
// surplus columns hold copies of sample 0 with scale 0.
class Batch {
 public:
  Batch(const Kernels& kernels, int batch_size, TransitionLayout layout);

  int size() const { return batch_size_; }
  // Samples and surplus columns of all panels.
  std::size_t columns() const { return index_.size(); }
  const std::vector<TransitionPanel>& panels() const { return panels_; }
  // Sample i becomes row index()[i] of `rows`.
  std::vector<std::uint32_t>& index() { return index_; }
  void gather(const float* rows, std::ptrdiff_t row_size);

 private:
  const Kernels& kernels_;
  int batch_size_;
  TransitionLayout layout_;
  Buffer data_;
  std::vector<TransitionPanel> panels_;
  std::vector<std::uint32_t> index_;  // one per column
};

// Transitions in rows of whole cache lines.
class Replay {
 public:
  Replay(std::int64_t capacity, TransitionLayout layout);

  // Overwrites the oldest transition when full.
  void add(const float* state, int action, const float* next_state, float reward, float done);
  void add(const float* state, const float* action, const float* next_state, float reward,
           float done);
  std::int64_t size() const { return size_; }
  // Uniformly, with replacement.
  void sample(Random& random, Batch& batch) const;
  // All transitions up to the batch size, in order.
  void first(Batch& batch) const;

 private:
  void grow();

  std::int64_t capacity_, size_ = 0, next_ = 0, allocated_ = 0;
  TransitionLayout layout_;
  int row_size_;
  Buffer rows_;
};

}  // namespace se_hpo
