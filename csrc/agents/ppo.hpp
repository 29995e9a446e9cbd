// PPO (Schulman et al. 2017) for discrete or continuous actions. The specification is that of
// se_hpo/agents/ppo.py.
#pragma once

#include <cstdint>
#include <vector>

#include "../adam.hpp"
#include "../buffer.hpp"
#include "../mlp.hpp"
#include "agent.hpp"
#include "rollout.hpp"

namespace se_hpo {

// se_hpo.agents.ppo_config.
struct PPOConfig {
  explicit PPOConfig(const Fields& f)
      : init_episodes(f.integer("init_episodes")),
        rollout_steps(f.integer("rollout_steps", 1 << 24)),
        batch_size(f.size("batch_size", 1 << 24)),
        epochs(f.integer("epochs", 1 << 24)),
        update_episodes(f.integer("update_episodes")),
        gamma(f.real("gamma")),
        gae_lambda(f.real("gae_lambda")),
        lr(f.real("lr")),
        clip_range(f.real("clip_range")),
        ent_coef(f.real("ent_coef")),
        vf_coef(f.real("vf_coef")),
        max_grad_norm(f.real("max_grad_norm")),
        action_std(f.real("action_std")),
        activation(f.activation()),
        hidden_size(f.size("hidden_size", 1 << 16)),
        hidden_layers(f.size("hidden_layers", 64)),
        authors(f.text("variant") == "authors") {}

  std::int64_t init_episodes, rollout_steps;
  int batch_size;
  std::int64_t epochs, update_episodes;
  double gamma, gae_lambda, lr, clip_range, ent_coef, vf_coef, max_grad_norm, action_std;
  Activation activation;
  int hidden_size, hidden_layers;
  bool authors;

  // Of actor and critic together.
  double weights(int obs_size, int n_actions) const {
    const double hidden = hidden_size;
    return hidden * (2 * obs_size + n_actions + 1) + 2 * (hidden_layers - 1) * hidden * hidden;
  }
};

class PPOAgent final : public Agent {
 public:
  explicit PPOAgent(const AgentContext& context);

  void begin_episode(std::int64_t episode) override;
  Action explore(const float* obs) override;
  Action exploit(const float* obs) override;
  // A continuous action stands for the raw sample that `explore` clipped to it.
  void store(const float* state, Action action, const float* next_state, float reward,
             float done) override;
  bool learn() override;
  bool learn_terminal() override;
  bool end_episode(bool truncated) override;

  // An order of the rollout's steps for each epoch.
  using Orders = std::vector<std::vector<std::uint32_t>>;
  // Learns from the rollout and clears it; false as soon as a loss is not finite.
  // `terminal`: every step ended its episode, so that values of next states count for nothing.
  bool update(const Orders& orders, bool terminal = false);
  Rollout& rollout() { return rollout_; }
  // Spread (if continuous), actor, critic.
  Buffer& parameters() { return parameters_; }
  // Of the last loss, shortened.
  const Buffer& gradient() const { return gradient_; }
  // The last action before it was clipped.
  const std::vector<float>& raw() const { return raw_; }

 private:
  // Some steps side by side, padded with copies.
  struct Panel {
    int vectors, samples;
    std::size_t columns;
    const float *state, *action, *advantage, *target, *log_probability, *next_state;
  };
  struct Standardization {
    float mean = 0, factor = 1;
  };

  const float* actor() const { return parameters_.data() + spread_size_; }
  const float* critic() const { return actor() + actor_.n_parameters(); }
  void initialize(std::uint64_t seed);
  Orders draw_orders();

  const float* center(const float* x, int vectors);
  void measure_spread(float floor);
  void evaluate(const Panel& panel);
  void evaluate_softmax(const Panel& panel, const float* logits);
  void evaluate_normal(const Panel& panel, const float* mean);

  void look_back(bool terminal);
  Standardization standardization(const std::uint32_t* index, int n);
  bool descend(const std::uint32_t* index, int n);
  double differentiate_critic(const Panel& panel, int n, bool first);
  double differentiate_actor(const Panel& panel, int n, bool first, Standardization by);
  float surrogate(float advantage, float ratio, float* slope) const;
  void softmax_delta(const Panel& panel, int n);
  void normal_delta(const Panel& panel, int n);
  void shorten_gradient();

  // Calls f(panel) for the given steps, until the job is to stop.
  template <typename F>
  void for_panels(const std::uint32_t* index, int n, int features, F f);

  const Kernels& kernels_;
  const PPOConfig config_;
  const int obs_size_, n_actions_;
  const bool continuous_;
  const std::atomic<bool>& stop_;
  const std::size_t spread_size_;
  Mlp actor_, critic_;
  Mlp::Tape actor_tape_, critic_tape_;
  Mlp::Gradient actor_sums_, critic_sums_;
  Buffer parameters_, gradient_;
  Adam adam_;
  Random exploration_, order_;
  Rollout rollout_;
  bool learning_;
  // Of one panel: outputs of the actor (log-probabilities, or means), slopes by them;
  // log-probability of the action taken and its slope, entropy, slope by the critic.
  Buffer panel_, center_, d_center_, log_probability_, d_log_probability_, entropy_, d_value_;
  Buffer column_, noise_;  // of one observation
  std::vector<float> std_, log_std_;
  std::vector<double> d_spread_;
  std::vector<float> raw_, clipped_, greedy_;
};

}  // namespace se_hpo
