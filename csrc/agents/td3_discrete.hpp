// TD3 (Fujimoto et al. 2018) for discrete actions, by a Gumbel-softmax actor. The
// specification is that of se_hpo/agents/td3_discrete.py.
#pragma once

#include <vector>

#include "../adam.hpp"
#include "../buffer.hpp"
#include "../mlp.hpp"
#include "../replay.hpp"
#include "agent.hpp"
#include "off_policy.hpp"

namespace se_hpo {

// se_hpo.agents.td3_discrete_config.
struct TD3DiscreteConfig : OffPolicyConfig {
  explicit TD3DiscreteConfig(const Fields& f)
      : OffPolicyConfig(f),
        init_episodes(f.integer("init_episodes")),
        policy_delay(f.integer("policy_delay")),
        gumbel_anneal_updates(f.integer("gumbel_anneal_updates")),
        action_std(f.real("action_std")),
        policy_std(f.real("policy_std")),
        policy_std_clip(f.real("policy_std_clip")),
        gumbel_temperature(f.real("gumbel_temperature")),
        gumbel_hard(f.flag("gumbel_hard")),
        layer_norm(f.flag("layer_norm")) {}

  std::int64_t init_episodes, policy_delay, gumbel_anneal_updates;
  double action_std, policy_std, policy_std_clip, gumbel_temperature;
  bool gumbel_hard, layer_norm;
};

// All that is random in an update besides the batch: for each panel of the batch in turn
// n_actions x columns.
struct UpdateNoise {
  Buffer target_gumbel, target_normal, actor_gumbel;
};

class TD3DiscreteAgent final : public Agent {
 public:
  explicit TD3DiscreteAgent(const AgentContext& context);

  void begin_episode(std::int64_t episode) override;
  Action explore(const float* obs) override;
  Action exploit(const float* obs) override;
  // With the action vector that `explore` had chosen `action` by, or a one-hot vector.
  void store(const float* state, Action action, const float* next_state, float reward,
             float done) override;
  bool learn() override;

  // One update with given batch and noise; overwrites the batch's action vectors.
  bool update(Batch& batch, const UpdateNoise& noise);
  UpdateNoise make_noise(const Batch& batch) const;
  const std::vector<float>& action_vector() const { return vector_; }

  // A network's parameters, its target's, and the gradient of its last loss.
  struct Learner {
    explicit Learner(std::size_t n) : online(n), target(n), gradient(n) {}
    Buffer online, target, gradient;
  };
  Learner& actor() { return actor_; }
  Learner& critics() { return critics_; }  // Q1, then Q2

 private:
  float inverse_temperature() const;
  bool updates_actor() const { return (updates_ + 1) % config_.policy_delay == 0; }
  const float* logits_column(const float* obs);
  bool noisy_vector(const float* obs);
  void draw(UpdateNoise& noise);
  void next_actions(const Batch& batch, const UpdateNoise& noise);
  void targets(const Batch& batch);
  float differentiate_critics(const Batch& batch);
  float differentiate_actor(const Batch& batch, const UpdateNoise& noise);
  // Calls f(panel, columns before it) until the job is to stop.
  template <typename F>
  void for_panels(const Batch& batch, F f) const;

  const Kernels& kernels_;
  const TD3DiscreteConfig config_;
  const int obs_size_, n_actions_;
  const std::atomic<bool>& stop_;
  Mlp actor_mlp_, critic_mlp_;
  Mlp::Tape actor_tape_, critic_tape_;
  Mlp::Gradient actor_sums_, critic_sums_;
  Learner actor_, critics_;
  Adam actor_adam_, critics_adam_;
  Random exploration_, sampling_, update_;
  Replay replay_;
  Batch batch_;
  UpdateNoise noise_;
  Buffer values_[2], y_;                    // of the whole batch
  Buffer soft_, delta_, d_input_, d_logits_;  // of one panel
  Buffer column_, gumbel_, normal_;         // of one observation
  std::int64_t updates_ = 0;
  bool random_actions_;
  int chosen_ = -1;
  std::vector<float> vector_;
};

}  // namespace se_hpo
