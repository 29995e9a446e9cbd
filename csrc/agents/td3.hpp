// TD3 (Fujimoto et al. 2018) for continuous actions in [-1, 1]. The specification is that of
// se_hpo/agents/td3.py.
#pragma once

#include <vector>

#include "twin_delayed.hpp"

namespace se_hpo {

class TD3Agent final : public TwinDelayedAgent {
 public:
  explicit TD3Agent(const AgentContext& context);

  Action explore(const float* obs) override;
  Action exploit(const float* obs) override;
  void store(const float* state, Action action, const float* next_state, float reward,
             float done) override;

  std::vector<Buffer*> noise() override { return {&target_normal_}; }

 private:
  void draw(bool for_targets) override;
  void target_actions(const float* output, const TransitionPanel& panel, std::size_t at) override;
  void own_actions(const float* output, const TransitionPanel& panel, std::size_t at) override;
  void descend_actions(const float* d_action, const TransitionPanel& panel,
                       float* d_output) override;
  // action = tanh output
  void squash(const float* output, std::size_t n, float* action) const;

  const double action_std_;
  Buffer target_normal_, normal_;
  std::vector<float> action_;  // the one chosen last
};

}  // namespace se_hpo
