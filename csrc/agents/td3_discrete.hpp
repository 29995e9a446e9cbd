// Discrete TD3, see td3_discrete.cpp.
#pragma once

#include <vector>

#include "twin_delayed.hpp"

namespace se_hpo {

// se_hpo.agents.td3_discrete_config.
struct TD3DiscreteConfig : TD3Config {
  explicit TD3DiscreteConfig(const Fields& f)
      : TD3Config(f),
        gumbel_anneal_updates(f.integer("gumbel_anneal_updates")),
        gumbel_temperature(f.real("gumbel_temperature")),
        gumbel_hard(f.flag("gumbel_hard")),
        layer_norm(f.flag("layer_norm")) {}

  std::int64_t gumbel_anneal_updates;
  double gumbel_temperature;
  bool gumbel_hard, layer_norm;
};

class TD3DiscreteAgent final : public TwinDelayedAgent {
 public:
  explicit TD3DiscreteAgent(const AgentContext& context);

  Action explore(const float* obs) override;
  Action exploit(const float* obs) override;
  // With the action vector that `explore` had chosen `action` by, or a one-hot vector.
  void store(const float* state, Action action, const float* next_state, float reward,
             float done) override;

  std::vector<Buffer*> noise() override {
    return {&target_gumbel_, &target_normal_, &actor_gumbel_};
  }
  const std::vector<float>& action_vector() const { return vector_; }

 private:
  TD3DiscreteAgent(const AgentContext& context, const TD3DiscreteConfig& config);

  void draw(bool for_targets) override;
  void target_actions(const float* logits, const TransitionPanel& panel, std::size_t at) override;
  void own_actions(const float* logits, const TransitionPanel& panel, std::size_t at) override;
  void descend_actions(const float* d_action, const TransitionPanel& panel,
                       float* d_logits) override;

  float inverse_temperature() const;
  void gumbel_softmax(const float* logits, const float* gumbel, int vectors, float* action);
  bool noisy_vector(const float* obs);

  const TD3DiscreteConfig config_;
  Buffer target_gumbel_, target_normal_, actor_gumbel_;
  Buffer soft_, action_;     // of one panel
  Buffer gumbel_, normal_;   // of one observation
  int chosen_ = -1;
  std::vector<float> vector_;
};

}  // namespace se_hpo
