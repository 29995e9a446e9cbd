// Q-learning with a table (Watkins 1989); see se_hpo/agents/q_learning.py.
#pragma once

#include <cstdint>
#include <vector>

#include "agent.hpp"

namespace se_hpo {

// se_hpo.agents.q_learning_config.
struct TabularConfig {
  explicit TabularConfig(const Fields& f)
      : lr(f.real("lr")),
        gamma(f.real("gamma")),
        eps_init(f.real("eps_init")),
        eps_min(f.real("eps_min")),
        eps_decay(f.real("eps_decay")),
        count_bonus(f.real("count_bonus")),
        q_init(f.real("q_init")) {}

  double lr, gamma, eps_init, eps_min, eps_decay, count_bonus, q_init;
};

// States are the positions of the largest number of an observation.
class QLearning : public Agent {
 public:
  explicit QLearning(const AgentContext& context);

  void begin_episode(std::int64_t episode) override;
  Action explore(const float* obs) override { return draw(state_of(obs)); }
  Action exploit(const float* obs) override { return greedy(state_of(obs)); }
  void store(const float* state, Action action, const float* next_state, float reward,
             float done) override;
  bool learn() override;

  // Q, states x actions.
  std::vector<double>& table() { return q_; }

 protected:
  // What the next state is worth: its highest value.
  virtual double next_value(int next_state) { return q(next_state, greedy(next_state)); }

  int state_of(const float* obs) const;
  int greedy(int state) const;
  // Epsilon-greedy.
  int draw(int state);
  double& q(int state, int action) { return q_[index(state, action)]; }

 private:
  std::size_t index(int state, int action) const {
    return std::size_t(state) * n_actions_ + action;
  }

  const TabularConfig config_;
  const int n_states_, n_actions_;
  std::vector<double> q_;
  std::vector<std::int64_t> visits_;
  Random exploration_;
  double epsilon_;
  struct {
    int state, action, next_state;
    double reward, done;
  } last_{};
};

// The registry's entry of an agent with this table.
double tabular_cost(const Fields& config, int obs_size, int n_actions);
double tabular_memory(const Fields& config, int obs_size, int n_actions);

}  // namespace se_hpo
