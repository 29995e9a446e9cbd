// TD3 (Fujimoto et al. 2018) for discrete actions, by a Gumbel-softmax actor. The
// specification is that of se_hpo/agents/td3_discrete.py.
#include "td3_discrete.hpp"

#include <algorithm>

#include "../envs/environment.hpp"

namespace se_hpo {

TD3DiscreteAgent::TD3DiscreteAgent(const AgentContext& context)
    : TD3DiscreteAgent(context, TD3DiscreteConfig(context.config)) {}

TD3DiscreteAgent::TD3DiscreteAgent(const AgentContext& context, const TD3DiscreteConfig& config)
    : TwinDelayedAgent(context, config, config.layer_norm), config_(config), vector_(n_actions_) {
  const std::size_t n = n_actions_, width = kernels_.width, columns = kMaxVectors * width;
  for (Buffer* of_batch : noise()) *of_batch = noise_of_batch();
  for (Buffer* of_panel : {&soft_, &action_}) *of_panel = Buffer(n * columns);
  for (Buffer* of_column : {&gumbel_, &normal_}) *of_column = Buffer(n * width);
}

float TD3DiscreteAgent::inverse_temperature() const {
  constexpr double kFall = 0.95;  // to a twentieth
  const double progress =
      config_.gumbel_anneal_updates == 0
          ? 0.0
          : std::min(1.0, double(updates_) / double(config_.gumbel_anneal_updates));
  return static_cast<float>(1.0 / (config_.gumbel_temperature * (1.0 - kFall * progress)));
}

void TD3DiscreteAgent::gumbel_softmax(const float* logits, const float* gumbel, int vectors,
                                      float* action) {
  kernels_.gumbel_softmax(logits, gumbel, n_actions_, vectors, inverse_temperature(),
                          config_.gumbel_hard, soft_.data(), action);
}

Action TD3DiscreteAgent::explore(const float* obs) {
  if (random_actions_) {
    chosen_ = static_cast<int>(exploration_.below(std::uint32_t(n_actions_)));
    for (int a = 0; a < n_actions_; ++a) vector_[a] = a == chosen_ ? 1.0f : 0.0f;
    return chosen_;
  }
  const bool finite = noisy_vector(obs);
  chosen_ = static_cast<int>(std::max_element(vector_.begin(), vector_.end()) - vector_.begin());
  return finite ? chosen_ : -1;
}

bool TD3DiscreteAgent::noisy_vector(const float* obs) {
  const std::size_t n = n_actions_, width = kernels_.width;
  exploration_.uniform(gumbel_.data(), n);
  exploration_.uniform(normal_.data(), n);
  kernels_.gumbel_noise(gumbel_.data(), n);
  kernels_.normal_noise(normal_.data(), n);
  // The first sample of each row; backwards, since row 0 lies over all the others.
  for (std::size_t a = n; a-- > 0;) gumbel_[a * width] = gumbel_[a];
  gumbel_softmax(output_column(obs), gumbel_.data(), 1, action_.data());
  bool finite = true;
  for (std::size_t a = 0; a < n; ++a) {
    vector_[a] = action_[a * width] + static_cast<float>(config_.action_std) * normal_[a];
    finite = finite && is_finite(vector_[a]);
  }
  return finite;
}

Action TD3DiscreteAgent::exploit(const float* obs) {
  const float* logits = output_column(obs);
  int best = 0;
  bool finite = true;
  for (int a = 0; a < n_actions_; ++a) {
    const float value = logits[a * kernels_.width];
    finite = finite && is_finite(value);
    if (value > logits[best * kernels_.width]) best = a;
  }
  return finite ? best : -1;
}

void TD3DiscreteAgent::store(const float* state, Action action, const float* next_state,
                             float reward, float done) {
  if (action.index != chosen_)
    for (int a = 0; a < n_actions_; ++a) vector_[a] = a == action.index ? 1.0f : 0.0f;
  chosen_ = action.index;
  replay_.add(state, vector_.data(), next_state, reward, done);
}

void TD3DiscreteAgent::draw(bool for_targets) {
  const std::size_t n = target_gumbel_.size();
  if (for_targets) {
    update_.uniform(target_gumbel_.data(), n);
    update_.uniform(target_normal_.data(), n);
    kernels_.gumbel_noise(target_gumbel_.data(), n);
    kernels_.normal_noise(target_normal_.data(), n);
  }
  if (!updates_actor()) return;
  update_.uniform(actor_gumbel_.data(), n);
  kernels_.gumbel_noise(actor_gumbel_.data(), n);
}

// a' = G_target(s') + clipped noise
void TD3DiscreteAgent::target_actions(const float* logits, const TransitionPanel& panel,
                                      std::size_t at) {
  gumbel_softmax(logits, target_gumbel_.data() + n_actions_ * at, panel.vectors,
                 panel.next_action);
  smooth(panel.next_action, target_normal_, panel.vectors, at);
}

void TD3DiscreteAgent::own_actions(const float* logits, const TransitionPanel& panel,
                                   std::size_t at) {
  gumbel_softmax(logits, actor_gumbel_.data() + n_actions_ * at, panel.vectors, panel.action);
}

void TD3DiscreteAgent::descend_actions(const float* d_action, const TransitionPanel& panel,
                                       float* d_logits) {
  kernels_.gumbel_softmax_backward(soft_.data(), d_action, n_actions_, panel.vectors,
                                   inverse_temperature(), d_logits);
}

namespace {

std::unique_ptr<Agent> make(const AgentContext& context) {
  return std::make_unique<TD3DiscreteAgent>(context);
}

double cost(const Fields& f, int obs_size, int n_actions) {
  return twin_delayed_cost(TD3DiscreteConfig(f), obs_size, n_actions);
}

double memory(const Fields& f, int obs_size, int n_actions) {
  return twin_delayed_memory(TD3DiscreteConfig(f), obs_size, n_actions);
}

}  // namespace

extern const AgentEntry kTD3Discrete;
const AgentEntry kTD3Discrete{make, cost, memory};

}  // namespace se_hpo
