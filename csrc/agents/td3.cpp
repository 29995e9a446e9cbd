#include "td3.hpp"

#include <algorithm>

#include "../envs/environment.hpp"

namespace se_hpo {
namespace {

float clipped(float x) { return std::clamp(x, -1.0f, 1.0f); }  // NaN passes through

}  // namespace

TD3Agent::TD3Agent(const AgentContext& context)
    : TwinDelayedAgent(context, TD3Config(context.config), false),
      action_std_(context.config.real("action_std")),
      target_normal_(noise_of_batch()),
      normal_(n_actions_),
      action_(n_actions_) {}

Action TD3Agent::explore(const float* obs) {
  exploration_.uniform(normal_.data(), n_actions_);
  if (random_actions_) {
    for (int a = 0; a < n_actions_; ++a) action_[a] = 2.0f * normal_[a] - 1.0f;
    return Action(action_.data());
  }
  kernels_.normal_noise(normal_.data(), n_actions_);
  const Action action = exploit(obs);
  for (int a = 0; a < n_actions_; ++a)
    action_[a] = clipped(action_[a] + static_cast<float>(action_std_) * normal_[a]);
  return action;
}

Action TD3Agent::exploit(const float* obs) {
  const float* output = output_column(obs);
  bool finite = true;
  for (int a = 0; a < n_actions_; ++a) {
    action_[a] = std::tanh(output[a * kernels_.width]);
    finite = finite && is_finite(output[a * kernels_.width]);
  }
  return finite ? Action(action_.data()) : Action(-1);
}

void TD3Agent::store(const float* state, Action action, const float* next_state, float reward,
                     float done) {
  replay_.add(state, action.values, next_state, reward, done);
}

void TD3Agent::draw(bool for_targets) {
  if (!for_targets) return;
  update_.uniform(target_normal_.data(), target_normal_.size());
  kernels_.normal_noise(target_normal_.data(), target_normal_.size());
}

// a' = A_target(s') + clipped noise, clipped
void TD3Agent::target_actions(const float* output, const TransitionPanel& panel,
                              std::size_t at) {
  const std::size_t n = std::size_t(n_actions_) * panel.vectors * kernels_.width;
  squash(output, n, panel.next_action);
  smooth(panel.next_action, target_normal_, panel.vectors, at);
  std::transform(panel.next_action, panel.next_action + n, panel.next_action, clipped);
}

void TD3Agent::own_actions(const float* output, const TransitionPanel& panel, std::size_t) {
  squash(output, std::size_t(n_actions_) * panel.vectors * kernels_.width, panel.action);
}

void TD3Agent::descend_actions(const float* d_action, const TransitionPanel& panel,
                               float* d_output) {
  kernels_.tanh_backward(panel.action, d_action,
                         std::size_t(n_actions_) * panel.vectors * kernels_.width, d_output);
}

void TD3Agent::squash(const float* output, std::size_t n, float* action) const {
  std::copy(output, output + n, action);
  kernels_.activate(action, n, Activation::kTanh, 0.0f);
}

namespace {

std::unique_ptr<Agent> make(const AgentContext& context) {
  return std::make_unique<TD3Agent>(context);
}

double cost(const Fields& f, int obs_size, int n_actions) {
  return twin_delayed_cost(TD3Config(f), obs_size, n_actions);
}

double memory(const Fields& f, int obs_size, int n_actions) {
  return twin_delayed_memory(TD3Config(f), obs_size, n_actions);
}

}  // namespace

extern const AgentEntry kTD3;
const AgentEntry kTD3{make, cost, memory};

}  // namespace se_hpo
