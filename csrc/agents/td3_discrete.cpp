#include "td3_discrete.hpp"

#include <algorithm>

#include "../envs/environment.hpp"

namespace se_hpo {

TD3DiscreteAgent::TD3DiscreteAgent(const AgentContext& context)
    : kernels_(context.kernels),
      config_(context.config),
      obs_size_(context.obs_size),
      n_actions_(context.n_actions),
      stop_(context.stop),
      actor_mlp_(kernels_, obs_size_, n_actions_, config_.hidden_size, config_.hidden_layers,
                 config_.activation, config_.layer_norm),
      critic_mlp_(kernels_, obs_size_ + n_actions_, 1, config_.hidden_size,
                  config_.hidden_layers, config_.activation, config_.layer_norm),
      actor_tape_(actor_mlp_.make_tape()),
      critic_tape_(critic_mlp_.make_tape()),
      actor_sums_(actor_mlp_.make_gradient()),
      critic_sums_(critic_mlp_.make_gradient()),
      actor_(actor_mlp_.n_parameters()),
      critics_(2 * critic_mlp_.n_parameters()),
      actor_adam_(kernels_, actor_.online.size(), config_.lr, config_.tau),
      critics_adam_(kernels_, critics_.online.size(), config_.lr, config_.tau),
      exploration_(context.seed, Role::kExploration),
      sampling_(context.seed, Role::kReplay),
      update_(context.seed, Role::kUpdate),
      replay_(config_.buffer_size, {obs_size_, n_actions_}),
      batch_(kernels_, config_.batch_size, {obs_size_, n_actions_}),
      noise_(make_noise(batch_)),
      random_actions_(config_.init_episodes > 0),
      vector_(n_actions_) {
  const std::size_t width = kernels_.width, columns = kMaxVectors * width;
  for (Buffer* of_batch : {&values_[0], &values_[1], &y_}) *of_batch = Buffer(batch_.columns());
  soft_ = Buffer(n_actions_ * columns);
  d_logits_ = Buffer(n_actions_ * columns);
  d_input_ = Buffer((obs_size_ + n_actions_) * columns);
  delta_ = Buffer(columns);
  column_ = Buffer(obs_size_ * width);
  for (Buffer* of_column : {&gumbel_, &normal_}) *of_column = Buffer(n_actions_ * width);
  Random init(context.seed, Role::kInit);
  actor_mlp_.initialize(actor_.online.data(), init);
  critic_mlp_.initialize(critics_.online.data(), init);
  critic_mlp_.initialize(critics_.online.data() + critic_mlp_.n_parameters(), init);
  for (Learner* l : {&actor_, &critics_})
    std::copy(l->online.data(), l->online.data() + l->online.size(), l->target.data());
}

UpdateNoise TD3DiscreteAgent::make_noise(const Batch& batch) const {
  const std::size_t n = n_actions_ * batch.columns();
  return {Buffer(n), Buffer(n), Buffer(n)};
}

void TD3DiscreteAgent::begin_episode(std::int64_t episode) {
  random_actions_ = episode < config_.init_episodes;
}

float TD3DiscreteAgent::inverse_temperature() const {
  constexpr double kFall = 0.95;  // to a twentieth
  const double progress =
      config_.gumbel_anneal_updates == 0
          ? 0.0
          : std::min(1.0, double(updates_) / double(config_.gumbel_anneal_updates));
  return static_cast<float>(1.0 / (config_.gumbel_temperature * (1.0 - kFall * progress)));
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

const float* TD3DiscreteAgent::logits_column(const float* obs) {
  for (int i = 0; i < obs_size_; ++i) column_[std::size_t(i) * kernels_.width] = obs[i];
  return actor_mlp_.forward(actor_.online.data(), column_.data(), 1, actor_tape_);
}

bool TD3DiscreteAgent::noisy_vector(const float* obs) {
  const std::size_t n = n_actions_, width = kernels_.width;
  exploration_.uniform(gumbel_.data(), n);
  exploration_.uniform(normal_.data(), n);
  kernels_.gumbel_noise(gumbel_.data(), n);
  kernels_.normal_noise(normal_.data(), n);
  // The first sample of each row; backwards, since row 0 lies over all the others.
  for (std::size_t a = n; a-- > 0;) gumbel_[a * width] = gumbel_[a];
  kernels_.gumbel_softmax(logits_column(obs), gumbel_.data(), n_actions_, 1,
                          inverse_temperature(), config_.gumbel_hard, soft_.data(),
                          d_logits_.data());
  bool finite = true;
  for (std::size_t a = 0; a < n; ++a) {
    vector_[a] = d_logits_[a * width] + static_cast<float>(config_.action_std) * normal_[a];
    finite = finite && is_finite(vector_[a]);
  }
  return finite;
}

Action TD3DiscreteAgent::exploit(const float* obs) {
  const float* logits = logits_column(obs);
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

bool TD3DiscreteAgent::learn() {
  replay_.sample(sampling_, batch_);
  draw(noise_);
  return update(batch_, noise_);
}

void TD3DiscreteAgent::draw(UpdateNoise& noise) {
  const std::size_t n = noise.target_gumbel.size();
  update_.uniform(noise.target_gumbel.data(), n);
  update_.uniform(noise.target_normal.data(), n);
  kernels_.gumbel_noise(noise.target_gumbel.data(), n);
  kernels_.normal_noise(noise.target_normal.data(), n);
  if (!updates_actor()) return;
  update_.uniform(noise.actor_gumbel.data(), n);
  kernels_.gumbel_noise(noise.actor_gumbel.data(), n);
}

bool TD3DiscreteAgent::update(Batch& batch, const UpdateNoise& noise) {
  next_actions(batch, noise);
  targets(batch);
  const float squared_error = differentiate_critics(batch);
  if (!updates_actor()) {
    critics_adam_.step(critics_.online, critics_.gradient);
    ++updates_;
    return is_finite(squared_error);
  }
  // The critics' target is not looked at before the next update: it may move already.
  critics_adam_.step(critics_.online, critics_.target, critics_.gradient);
  const float value = differentiate_actor(batch, noise);
  actor_adam_.step(actor_.online, actor_.target, actor_.gradient);
  ++updates_;
  return is_finite(squared_error) && is_finite(value);
}

template <typename F>
void TD3DiscreteAgent::for_panels(const Batch& batch, F f) const {
  std::size_t at = 0;
  for (const TransitionPanel& panel : batch.panels()) {
    if (stop_.load(std::memory_order_relaxed)) return;
    f(panel, at);
    at += std::size_t(panel.vectors) * kernels_.width;
  }
}

// a' = G_target(s') + clipped noise
void TD3DiscreteAgent::next_actions(const Batch& batch, const UpdateNoise& noise) {
  for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
    const std::size_t n = std::size_t(n_actions_) * panel.vectors * kernels_.width;
    const float* logits = actor_mlp_.forward(actor_.target.data(), panel.next_state,
                                             panel.vectors, actor_tape_);
    kernels_.gumbel_softmax(logits, noise.target_gumbel.data() + n_actions_ * at, n_actions_,
                            panel.vectors, inverse_temperature(), config_.gumbel_hard,
                            soft_.data(), panel.next_action);
    kernels_.add_clipped(panel.next_action, noise.target_normal.data() + n_actions_ * at, n,
                         static_cast<float>(config_.policy_std),
                         static_cast<float>(config_.policy_std_clip));
  });
}

// y = r + gamma (1 - d) min(Q1_target, Q2_target)(s', a')
void TD3DiscreteAgent::targets(const Batch& batch) {
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
                         static_cast<float>(config_.gamma), y_.data() + at);
  });
}

// L = mean (Q1(s, a) - y)^2 + mean (Q2(s, a) - y)^2; returns the sum of squares.
float TD3DiscreteAgent::differentiate_critics(const Batch& batch) {
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

// L = -mean Q1(s, G(s)); returns its negative.
float TD3DiscreteAgent::differentiate_actor(const Batch& batch, const UpdateNoise& noise) {
  const float factor = 1.0f / static_cast<float>(batch.size());
  float total = 0;
  for_panels(batch, [&](const TransitionPanel& panel, std::size_t at) {
    const int columns = panel.vectors * kernels_.width;
    const float* logits =
        actor_mlp_.forward(actor_.online.data(), panel.state, panel.vectors, actor_tape_);
    kernels_.gumbel_softmax(logits, noise.actor_gumbel.data() + n_actions_ * at, n_actions_,
                            panel.vectors, inverse_temperature(), config_.gumbel_hard,
                            soft_.data(), panel.action);
    const float* q =
        critic_mlp_.forward(critics_.online.data(), panel.state, panel.vectors, critic_tape_);
    for (int c = 0; c < columns; ++c) {
      delta_[c] = -factor * panel.scale[c];
      total -= delta_[c] * q[c];
    }
    critic_mlp_.input_gradient(critics_.online.data(), critic_tape_, delta_.data(),
                               panel.vectors, critic_sums_, d_input_.data());
    kernels_.gumbel_softmax_backward(soft_.data(), d_input_.data() + obs_size_ * columns,
                                     n_actions_, panel.vectors, inverse_temperature(),
                                     d_logits_.data());
    actor_mlp_.backward(actor_.online.data(), actor_tape_, d_logits_.data(), panel.vectors,
                        at == 0, actor_sums_);
  });
  actor_mlp_.collect(actor_sums_, actor_.gradient.data());
  return total;
}

namespace {

std::unique_ptr<Agent> make(const AgentContext& context) {
  return std::make_unique<TD3DiscreteAgent>(context);
}

// Products with all weights: nine for the critics, five for the actor.
double cost(const Fields& f, int obs_size, int n_actions) {
  const TD3DiscreteConfig c(f);
  const double products = 9 + 5.0 / double(c.policy_delay);
  return products * c.weights(obs_size + n_actions) * c.batch_size;
}

// Actor and two critics; noise.
double memory(const Fields& f, int obs_size, int n_actions) {
  const TD3DiscreteConfig c(f);
  return 3 * (c.memory(obs_size + n_actions) + double(c.batch_size) * n_actions);
}

}  // namespace

extern const AgentEntry kTD3Discrete;
const AgentEntry kTD3Discrete{make, cost, memory};

}  // namespace se_hpo
