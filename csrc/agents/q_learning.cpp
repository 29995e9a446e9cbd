#include "q_learning.hpp"

#include <algorithm>
#include <cmath>

namespace se_hpo {

QLearning::QLearning(const AgentContext& context)
    : config_(context.config),
      n_states_(context.obs_size),
      n_actions_(context.n_actions),
      q_(std::size_t(n_states_) * n_actions_, config_.q_init),
      visits_(q_.size()),
      exploration_(context.seed, Role::kExploration),
      epsilon_(config_.eps_init) {}

void QLearning::begin_episode(std::int64_t episode) {
  if (episode > 0) epsilon_ = std::max(epsilon_ * config_.eps_decay, config_.eps_min);
}

int QLearning::state_of(const float* obs) const {
  return int(std::max_element(obs, obs + n_states_) - obs);
}

int QLearning::greedy(int state) const {
  const auto row = q_.begin() + std::ptrdiff_t(index(state, 0));
  return int(std::max_element(row, row + n_actions_) - row);
}

int QLearning::draw(int state) {
  if (exploration_.uniform() < epsilon_)
    return int(exploration_.below(std::uint32_t(n_actions_)));
  return greedy(state);
}

void QLearning::store(const float* state, Action action, const float* next_state, float reward,
                      float done) {
  last_ = {state_of(state), action.index, state_of(next_state), reward, done};
}

bool QLearning::learn() {
  const auto& [state, action, next_state, reward, done] = last_;
  const double visits = double(++visits_[index(state, action)]);
  const double bonus = config_.count_bonus / (std::sqrt(visits) + 1e-9);
  const double future = config_.gamma * (1 - done) * next_value(next_state);
  // Q(s, a) += lr (r + beta / sqrt(n) + gamma (1 - d) max Q(s', .) - Q(s, a))
  double& value = q(state, action);
  value += config_.lr * (reward + bonus + future - value);
  return std::isfinite(value);
}

double tabular_cost(const Fields&, int obs_size, int n_actions) {
  return 2.0 * obs_size + 4.0 * n_actions;
}

double tabular_memory(const Fields&, int obs_size, int n_actions) {
  return 4.0 * obs_size * n_actions;  // two numbers of 8 bytes each
}

namespace {

std::unique_ptr<Agent> make(const AgentContext& c) { return std::make_unique<QLearning>(c); }

}  // namespace

extern const AgentEntry kQLearning;
const AgentEntry kQLearning{make, tabular_cost, tabular_memory};

}  // namespace se_hpo
