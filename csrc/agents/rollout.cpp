#include "rollout.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace se_hpo {
namespace {

// y[t] = x[t] + factor[t] y[t + 1], in the place of x; 0 behind the end.
void discounted_sums(std::vector<double>& x, const std::vector<double>& factor) {
  double y = 0;
  for (std::size_t t = x.size(); t-- > 0;) x[t] = y = x[t] + factor[t] * y;
}

}  // namespace

void Rollout::add(const float* state, const float* action, const float* next_state, float reward,
                  float done) {
  rows_.resize(rows_.size() + row_size());
  float* to = row(size());
  std::copy(state, state + obs_size_, to);
  std::copy(action, action + action_size_, to + this->action());
  std::copy(next_state, next_state + obs_size_, to + this->next_state());
  reward_.push_back(reward);
  done_.push_back(done);
  last_.push_back(0);
}

void Rollout::end_episode() {
  if (size() == 0 || last_.back()) return;  // already learned from
  last_.back() = 1;
  ++episodes_;
}

void Rollout::clear() {
  rows_.clear();
  reward_.clear();
  done_.clear();
  last_.clear();
  episodes_ = 0;
}

// A(t) = delta + gamma lambda (1 - d) A(t + 1), delta = r + gamma (1 - d) V(s') - V(s)
void Rollout::estimate_advantages(const std::vector<float>& value,
                                  const std::vector<float>& next_value, double gamma,
                                  double lambda) {
  const std::size_t n = reward_.size();
  std::vector<double> error(n), decay(n);
  for (std::size_t t = 0; t < n; ++t) {
    const double go_on = gamma * (1 - double(done_[t]));
    error[t] = reward_[t] + go_on * next_value[t] - value[t];
    decay[t] = last_[t] ? 0.0 : go_on * lambda;
  }
  discounted_sums(error, decay);
  for (std::size_t t = 0; t < n; ++t) {
    row(t)[advantage()] = float(error[t]);
    row(t)[target()] = float(error[t] + value[t]);
  }
}

void Rollout::standardize_returns(double gamma) {
  const std::size_t n = reward_.size();
  std::vector<double> sums(reward_.begin(), reward_.end()), decay(n);
  for (std::size_t t = 0; t < n; ++t) decay[t] = last_[t] ? 0.0 : gamma;
  discounted_sums(sums, decay);
  const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) / double(n);
  double square = 0;
  for (const double x : sums) square += (x - mean) * (x - mean);
  const double std = std::sqrt(square / (double(n) - 1));
  for (std::size_t t = 0; t < n; ++t)
    row(t)[target()] = float(n > 1 ? (sums[t] - mean) / (std + 1e-5) : sums[t]);
}

}  // namespace se_hpo
