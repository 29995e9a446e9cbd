#include "twin_delayed.hpp"

#include <algorithm>

#include "../envs/environment.hpp"

namespace se_hpo {

TwinDelayedAgent::TwinDelayedAgent(const AgentContext& context, const TD3Config& config,
                                   bool layer_norm)
    : kernels_(context.kernels),
      obs_size_(context.obs_size),
      n_actions_(context.n_actions),
      exploration_(context.seed, Role::kExploration),
      update_(context.seed, Role::kUpdate),
      replay_(config.buffer_size, {obs_size_, n_actions_}),
      random_actions_(config.init_episodes > 0),
      settings_(config),
      stop_(context.stop),
      actor_mlp_(kernels_, obs_size_, n_actions_, config.hidden_size, config.hidden_layers,
                 config.activation, layer_norm),
      critic_mlp_(kernels_, obs_size_ + n_actions_, 1, config.hidden_size, config.hidden_layers,
                  config.activation, layer_norm),
      actor_tape_(actor_mlp_.make_tape()),
      critic_tape_(critic_mlp_.make_tape()),
      actor_sums_(actor_mlp_.make_gradient()),
      critic_sums_(critic_mlp_.make_gradient()),
      actor_(actor_mlp_.n_parameters()),
      critics_(2 * critic_mlp_.n_parameters()),
      actor_adam_(kernels_, actor_.online.size(), config.lr, config.tau),
      critics_adam_(kernels_, critics_.online.size(), config.lr, config.tau),
      sampling_(context.seed, Role::kReplay),
      batch_(kernels_, config.batch_size, {obs_size_, n_actions_}) {
  const std::size_t columns = kMaxVectors * kernels_.width;
  for (Buffer* of_batch : {&values_[0], &values_[1], &y_}) *of_batch = Buffer(batch_.columns());
  d_output_ = Buffer(n_actions_ * columns);
  d_input_ = Buffer((obs_size_ + n_actions_) * columns);
  delta_ = Buffer(columns);
  column_ = Buffer(std::size_t(obs_size_) * kernels_.width);
  Random init(context.seed, Role::kInit);
  actor_mlp_.initialize(actor_.online.data(), init);
  critic_mlp_.initialize(critics_.online.data(), init);
  critic_mlp_.initialize(critics_.online.data() + critic_mlp_.n_parameters(), init);
  for (Learner* l : {&actor_, &critics_})
    std::copy(l->online.data(), l->online.data() + l->online.size(), l->target.data());
}

void TwinDelayedAgent::begin_episode(std::int64_t episode) {
  random_actions_ = episode < settings_.init_episodes;
}

void TwinDelayedAgent::at_step(const Progress& p) { random_actions_ = p.step < p.learn_from; }

const float* TwinDelayedAgent::output_column(const float* obs) {
  for (int i = 0; i < obs_size_; ++i) column_[std::size_t(i) * kernels_.width] = obs[i];
  return actor_mlp_.forward(actor_.online.data(), column_.data(), 1, actor_tape_);
}

bool TwinDelayedAgent::learn() {
  replay_.sample(sampling_, batch_);
  draw(true);
  return update(batch_);
}

bool TwinDelayedAgent::learn_terminal() {
  replay_.sample(sampling_, batch_);
  draw(false);
  return update_terminal(batch_);
}

bool TwinDelayedAgent::update(Batch& batch) {
  next_actions(batch);
  targets(batch);
  return descend(batch);
}

bool TwinDelayedAgent::update_terminal(Batch& batch) {
  terminal_targets(batch);
  return descend(batch);
}

bool TwinDelayedAgent::descend(const Batch& batch) {
  const float squared_error = differentiate_critics(batch);
  if (!updates_actor()) {
    critics_adam_.step(critics_.online, critics_.gradient);
    ++updates_;
    return is_finite(squared_error);
  }
  // The critics' target is not looked at before the next update: it may move already.
  critics_adam_.step(critics_.online, critics_.target, critics_.gradient);
  const float value = differentiate_actor(batch);
  actor_adam_.step(actor_.online, actor_.target, actor_.gradient);
  ++updates_;
  return is_finite(squared_error) && is_finite(value);
}

template <typename F>
void TwinDelayedAgent::for_panels(const Batch& batch, F f) const {
  std::size_t at = 0;
  for (const TransitionPanel& panel : batch.panels()) {
    if (stop_.load(std::memory_order_relaxed)) return;
    f(panel, at);
    at += std::size_t(panel.vectors) * kernels_.width;
  }
}

void TwinDelayedAgent::smooth(float* x, const Buffer& normal, int vectors, std::size_t at) const {
  kernels_.add_clipped(x, normal.data() + n_actions_ * at,
                       std::size_t(n_actions_) * vectors * kernels_.width,
                       static_cast<float>(settings_.policy_std),
                       static_cast<float>(settings_.policy_std_clip));
}

// a' of the target actor
void TwinDelayedAgent::next_actions(const Batch& batch) {
  for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
    target_actions(actor_mlp_.forward(actor_.target.data(), panel.next_state, panel.vectors,
                                      actor_tape_),
                   panel, at);
  });
}

// y = r + gamma (1 - d) min(Q1_target, Q2_target)(s', a')
void TwinDelayedAgent::targets(const Batch& batch) {
  for (int k = 0; k < 2; ++k) {
    const float* parameters = critics_.target.data() + k * critic_mlp_.n_parameters();
    for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
      const float* q =
          critic_mlp_.forward(parameters, panel.next_state, panel.vectors, critic_tape_);
      std::copy(q, q + panel.vectors * kernels_.width, values_[k].data() + at);
    });
  }
  for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
    kernels_.twin_target(panel, values_[0].data() + at, values_[1].data() + at,
                         static_cast<float>(settings_.gamma), y_.data() + at);
  });
}

// y = r
void TwinDelayedAgent::terminal_targets(const Batch& batch) {
  for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
    std::copy(panel.reward, panel.reward + panel.vectors * kernels_.width, y_.data() + at);
  });
}

// L = mean (Q1(s, a) - y)^2 + mean (Q2(s, a) - y)^2; returns the sum of squares.
float TwinDelayedAgent::differentiate_critics(const Batch& batch) {
  const float factor = 2.0f / static_cast<float>(batch.size());
  float total = 0;
  for (int k = 0; k < 2; ++k) {
    const std::size_t offset = k * critic_mlp_.n_parameters();
    const float* parameters = critics_.online.data() + offset;
    for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
      const float* q = critic_mlp_.forward(parameters, panel.state, panel.vectors, critic_tape_);
      total += kernels_.value_delta(panel, q, y_.data() + at, factor, delta_.data());
      critic_mlp_.backward(parameters, critic_tape_, delta_.data(), panel.vectors, at == 0,
                           critic_sums_);
    });
    critic_mlp_.collect(critic_sums_, critics_.gradient.data() + offset);
  }
  return total;
}

// L = -mean Q1(s, A(s)), A the actor's actions; returns its negative.
float TwinDelayedAgent::differentiate_actor(const Batch& batch) {
  const float factor = 1.0f / static_cast<float>(batch.size());
  float total = 0;
  for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
    const int columns = panel.vectors * kernels_.width;
    own_actions(
        actor_mlp_.forward(actor_.online.data(), panel.state, panel.vectors, actor_tape_), panel,
        at);
    const float* q =
        critic_mlp_.forward(critics_.online.data(), panel.state, panel.vectors, critic_tape_);
    for (int c = 0; c < columns; ++c) {
      delta_[c] = -factor * panel.scale[c];
      total -= delta_[c] * q[c];
    }
    critic_mlp_.input_gradient(critics_.online.data(), critic_tape_, delta_.data(),
                               panel.vectors, critic_sums_, d_input_.data());
    descend_actions(d_input_.data() + obs_size_ * columns, panel, d_output_.data());
    actor_mlp_.backward(actor_.online.data(), actor_tape_, d_output_.data(), panel.vectors,
                        at == 0, actor_sums_);
  });
  actor_mlp_.collect(actor_sums_, actor_.gradient.data());
  return total;
}

// Products with all weights: nine for the critics, five for the actor.
double twin_delayed_cost(const TD3Config& c, int obs_size, int n_actions) {
  const double products = 9 + 5.0 / double(c.policy_delay);
  return products * c.weights(obs_size + n_actions) * c.batch_size;
}

double twin_delayed_memory(const TD3Config& c, int obs_size, int n_actions) {
  return 3 * (c.memory(obs_size + n_actions) + double(c.batch_size) * n_actions);
}

}  // namespace se_hpo
