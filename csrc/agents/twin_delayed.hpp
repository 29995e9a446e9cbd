// What TD3 (Fujimoto et al. 2018) does whatever its actions are, as se_hpo/agents/twin_delayed.py:
// a subclass says how actions come from the actor's output and what is random in an update.
#pragma once

#include <vector>

#include "../adam.hpp"
#include "../buffer.hpp"
#include "../mlp.hpp"
#include "../replay.hpp"
#include "agent.hpp"
#include "off_policy.hpp"

namespace se_hpo {

// se_hpo.agents.td3_config.
struct TD3Config : OffPolicyConfig {
  explicit TD3Config(const Fields& f)
      : OffPolicyConfig(f),
        init_episodes(f.integer("init_episodes")),
        policy_delay(f.integer("policy_delay")),
        action_std(f.real("action_std")),
        policy_std(f.real("policy_std")),
        policy_std_clip(f.real("policy_std_clip")) {}

  std::int64_t init_episodes, policy_delay;
  double action_std, policy_std, policy_std_clip;
};

class TwinDelayedAgent : public Agent {
 public:
  TwinDelayedAgent(const AgentContext& context, const TD3Config& config, bool layer_norm);

  void begin_episode(std::int64_t episode) final;
  void at_step(const Progress& progress) final;
  bool learn() final;
  bool learn_terminal() final;

  // One update with a given batch and what is in `noise`; overwrites the batch's action vectors.
  bool update(Batch& batch);
  // The same where done is 1 in all of it: y is r.
  bool update_terminal(Batch& batch);
  // All that is random in an update besides the batch: for each panel of the batch in turn
  // n_actions x columns.
  virtual std::vector<Buffer*> noise() = 0;

  // A network's parameters, its target's, and the gradient of its last loss.
  struct Learner {
    explicit Learner(std::size_t n) : online(n), target(n), gradient(n) {}
    Buffer online, target, gradient;
  };
  Learner& actor() { return actor_; }
  Learner& critics() { return critics_; }  // Q1, then Q2

 protected:
  // Fills `noise` for the next update; what is for the targets only if they are needed.
  virtual void draw(bool for_targets) = 0;
  // panel.next_action, smoothed, from the target actor's output.
  virtual void target_actions(const float* output, const TransitionPanel& panel,
                              std::size_t at) = 0;
  // panel.action from the actor's output.
  virtual void own_actions(const float* output, const TransitionPanel& panel, std::size_t at) = 0;
  // From the gradient by the actions of `own_actions` to the one by the actor's output.
  virtual void descend_actions(const float* d_action, const TransitionPanel& panel,
                               float* d_output) = 0;

  bool updates_actor() const { return (updates_ + 1) % settings_.policy_delay == 0; }
  // The actor's output for one observation: the first column of a panel one vector wide.
  const float* output_column(const float* obs);
  Buffer noise_of_batch() const { return Buffer(n_actions_ * batch_.columns()); }
  // x += smoothing noise, for the panel that begins with column `at` of the batch.
  void smooth(float* x, const Buffer& normal, int vectors, std::size_t at) const;

  const Kernels& kernels_;
  const int obs_size_, n_actions_;
  Random exploration_, update_;
  Replay replay_;
  std::int64_t updates_ = 0;
  bool random_actions_;

 private:
  void next_actions(const Batch& batch);
  void targets(const Batch& batch);
  void terminal_targets(const Batch& batch);
  bool descend(const Batch& batch);
  float differentiate_critics(const Batch& batch);
  float differentiate_actor(const Batch& batch);
  // Calls f(panel, columns before it) until the job is to stop.
  template <typename F>
  void for_panels(const Batch& batch, F f) const;

  const TD3Config settings_;
  const std::atomic<bool>& stop_;
  Mlp actor_mlp_, critic_mlp_;
  Mlp::Tape actor_tape_, critic_tape_;
  Mlp::Gradient actor_sums_, critic_sums_;
  Learner actor_, critics_;
  Adam actor_adam_, critics_adam_;
  Random sampling_;
  Batch batch_;
  Buffer values_[2], y_;                // of the whole batch
  Buffer delta_, d_input_, d_output_;   // of one panel
  Buffer column_;                       // of one observation
};

// Of actor and two critics.
double twin_delayed_cost(const TD3Config& config, int obs_size, int n_actions);
double twin_delayed_memory(const TD3Config& config, int obs_size, int n_actions);

}  // namespace se_hpo
