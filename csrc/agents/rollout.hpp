// The steps since the last update of an on-policy agent, and what they were worth.
#pragma once

#include <cstdint>
#include <vector>

namespace se_hpo {

// A row is what is gathered of one step: state, action, advantage, target, log-probability,
// next state; whole cache lines.
class Rollout {
 public:
  // Floats of an action: 1 for an index, else those of the raw sample.
  Rollout(int obs_size, int action_size) : obs_size_(obs_size), action_size_(action_size) {}

  void add(const float* state, const float* action, const float* next_state, float reward,
           float done);
  // The last step was the last of its episode.
  void end_episode();
  void clear();

  // Positions in a row.
  int action() const { return obs_size_; }
  int advantage() const { return obs_size_ + action_size_; }
  int target() const { return advantage() + 1; }
  int log_probability() const { return advantage() + 2; }
  int next_state() const { return advantage() + 3; }
  int features() const { return next_state() + obs_size_; }
  int row_size() const { return (features() + 15) / 16 * 16; }

  std::int64_t size() const { return std::int64_t(reward_.size()); }
  std::int64_t episodes() const { return episodes_; }  // that have ended
  float* row(std::int64_t step) { return rows_.data() + step * row_size(); }
  const float* rows() const { return rows_.data(); }

  // Generalized advantage estimation (Schulman et al. 2016) from V of each state and next
  // state; targets are A + V.
  void estimate_advantages(const std::vector<float>& value, const std::vector<float>& next_value,
                           double gamma, double lambda);
  // Targets are discounted sums to the end of the episode, over all steps of mean 0 and
  // standard deviation 1.
  void standardize_returns(double gamma);

 private:
  int obs_size_, action_size_;
  std::vector<float> rows_, reward_, done_;
  std::vector<char> last_;
  std::int64_t episodes_ = 0;
};

}  // namespace se_hpo
