#include "double_q.hpp"

#include <algorithm>
#include <utility>

#include "../envs/environment.hpp"

namespace se_hpo {

DoubleQAgent::DoubleQAgent(const AgentContext& context, std::unique_ptr<QNetwork> network)
    : kernels_(context.kernels),
      config_(context.config),
      obs_size_(context.obs_size),
      n_actions_(context.n_actions),
      stop_(context.stop),
      network_(std::move(network)),
      online_(network_->n_parameters()),
      target_(network_->n_parameters()),
      gradient_(network_->n_parameters()),
      delta_(std::size_t(n_actions_) * kMaxVectors * kernels_.width),
      adam_(kernels_, network_->n_parameters(), config_.lr, config_.tau),
      exploration_(context.seed, Role::kExploration),
      sampling_(context.seed, Role::kReplay),
      replay_(config_.buffer_size, obs_size_),
      batch_(kernels_, config_.batch_size, obs_size_),
      column_(std::size_t(obs_size_) * kernels_.width),
      epsilon_(config_.eps_init) {
  Random init(context.seed, Role::kInit);
  network_->initialize(online_.data(), init);
  std::copy(online_.data(), online_.data() + online_.size(), target_.data());
}

void DoubleQAgent::begin_episode(std::int64_t episode) {
  if (episode > 0) epsilon_ = std::max(epsilon_ * config_.eps_decay, config_.eps_min);
}

// Down to the least over the first half of the steps, in a line.
void DoubleQAgent::at_step(const Progress& p) {
  const double left = std::max(0.0, 1.0 - 2.0 * double(p.step) / double(p.total));
  epsilon_ = config_.eps_min + (config_.eps_init - config_.eps_min) * left;
}

Action DoubleQAgent::explore(const float* obs) {
  if (exploration_.uniform() < epsilon_)
    return static_cast<int>(exploration_.below(std::uint32_t(n_actions_)));
  return exploit(obs);
}

Action DoubleQAgent::exploit(const float* obs) {
  const float* q = q_column(obs);
  int best = 0;
  bool finite = true;
  for (int a = 0; a < n_actions_; ++a) {
    const float value = q[a * kernels_.width];
    finite = finite && is_finite(value);
    if (value > q[best * kernels_.width]) best = a;
  }
  return finite ? best : -1;
}

const float* DoubleQAgent::q_column(const float* obs) {
  for (int i = 0; i < obs_size_; ++i) column_[std::size_t(i) * kernels_.width] = obs[i];
  return network_->forward(online_.data(), column_.data(), 1, QNetwork::kNext);
}

std::vector<float> DoubleQAgent::q_values(const float* obs) {
  const float* q = q_column(obs);
  std::vector<float> values;
  for (int a = 0; a < n_actions_; ++a) values.push_back(q[a * kernels_.width]);
  return values;
}

void DoubleQAgent::store(const float* state, Action action, const float* next_state, float reward,
                         float done) {
  replay_.add(state, action.index, next_state, reward, done);
}

bool DoubleQAgent::learn() {
  replay_.sample(sampling_, batch_);
  return update(batch_);
}

bool DoubleQAgent::learn_terminal() {
  replay_.sample(sampling_, batch_);
  return update(batch_, true);
}

bool DoubleQAgent::update(const Batch& batch, bool terminal) {
  const float squared_error = differentiate(batch, terminal);
  adam_.step(online_, target_, gradient_);
  return is_finite(squared_error);
}

float DoubleQAgent::differentiate(const Batch& batch, bool terminal) {
  const float factor = 2.0f / static_cast<float>(batch.size());
  float total = 0;
  bool first = true;
  for (const TransitionPanel& panel : batch.panels()) {
    if (stop_.load(std::memory_order_relaxed)) break;
    const int vectors = panel.vectors;
    // y = r + gamma (1 - d) Q_target(s', argmax_a Q(s', a)); L = mean (Q(s, a) - y)^2
    const float* q = network_->forward(online_.data(), panel.state, vectors, QNetwork::kOnline);
    const float *next = q, *target = q;  // of weight 0 where all ended: any finite values do
    if (!terminal) {
      next = network_->forward(online_.data(), panel.next_state, vectors, QNetwork::kNext);
      target = network_->forward(target_.data(), panel.next_state, vectors, QNetwork::kTarget);
    }
    total += kernels_.double_q_delta(panel, q, next, target, n_actions_,
                                     static_cast<float>(config_.gamma), factor, delta_.data());
    network_->backward(online_.data(), delta_.data(), vectors, first);
    first = false;
  }
  network_->collect(gradient_.data());
  return total;
}

}  // namespace se_hpo
