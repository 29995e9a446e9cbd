#include "ppo.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "../envs/environment.hpp"

namespace se_hpo {
namespace {

constexpr float kHalfLog2Pi = 0.918938533f;
constexpr float kFloorActing = 0.001f, kFloorLearning = 0.01f;  // of the authors' spread

// Orthonormal rows or columns, whichever are fewer, times `gain`: Gram-Schmidt, twice, on
// normal numbers.
void orthogonalize(const Kernels& kernels, float* weight, int outputs, int inputs, float gain,
                   Random& random, const std::atomic<bool>& stop) {
  const std::size_t n = std::min(outputs, inputs), length = std::max(outputs, inputs);
  Buffer normal(n * length);
  random.uniform(normal.data(), normal.size());
  kernels.normal_noise(normal.data(), normal.size());
  std::vector<double> v(normal.data(), normal.data() + normal.size());
  for (std::size_t i = 0; i < n && !stop; ++i) {
    double* mine = v.data() + i * length;
    for (std::size_t j = 0; j < 2 * i; ++j) {
      const double* other = v.data() + j % i * length;
      const double along = std::inner_product(mine, mine + length, other, 0.0);
      for (std::size_t k = 0; k < length; ++k) mine[k] -= along * other[k];
    }
    const double norm = std::sqrt(std::inner_product(mine, mine + length, mine, 0.0));
    for (std::size_t k = 0; k < length; ++k) mine[k] /= norm;
    for (std::size_t k = 0; k < length; ++k)
      weight[outputs <= inputs ? i * length + k : k * n + i] = gain * float(mine[k]);
  }
}

}  // namespace

PPOAgent::PPOAgent(const AgentContext& context)
    : kernels_(context.kernels),
      config_(context.config),
      obs_size_(context.obs_size),
      n_actions_(context.n_actions),
      continuous_(context.continuous),
      stop_(context.stop),
      spread_size_(continuous_ ? n_actions_ : 0),
      actor_(kernels_, obs_size_, n_actions_, config_.hidden_size, config_.hidden_layers,
             config_.activation),
      critic_(kernels_, obs_size_, 1, config_.hidden_size, config_.hidden_layers,
              config_.activation),
      actor_tape_(actor_.make_tape()),
      critic_tape_(critic_.make_tape()),
      actor_sums_(actor_.make_gradient()),
      critic_sums_(critic_.make_gradient()),
      parameters_(spread_size_ + actor_.n_parameters() + critic_.n_parameters()),
      gradient_(parameters_.size()),
      adam_(kernels_, parameters_.size(), config_.lr, 0.0, config_.authors ? 1e-8 : 1e-5),
      exploration_(context.seed, Role::kExploration),
      order_(context.seed, Role::kUpdate),
      rollout_(obs_size_, continuous_ ? n_actions_ : 1),
      learning_(config_.init_episodes == 0),
      std_(spread_size_),
      log_std_(spread_size_),
      d_spread_(spread_size_),
      raw_(n_actions_),
      clipped_(n_actions_),
      greedy_(n_actions_) {
  const std::size_t width = kernels_.width, columns = kMaxVectors * width;
  panel_ = Buffer(rollout_.features() * columns);
  for (Buffer* rows : {&center_, &d_center_}) *rows = Buffer(n_actions_ * columns);
  for (Buffer* row : {&log_probability_, &d_log_probability_, &entropy_, &d_value_})
    *row = Buffer(columns);
  column_ = Buffer(obs_size_ * width);
  noise_ = Buffer(n_actions_);
  initialize(context.seed);
}

void PPOAgent::initialize(std::uint64_t seed) {
  Random random(seed, Role::kInit);
  float* at = parameters_.data();
  const double spread = config_.authors ? config_.action_std : std::log(config_.action_std);
  std::fill_n(at, spread_size_, float(spread));
  at += spread_size_;
  for (const Mlp* mlp : {&actor_, &critic_}) {
    mlp->initialize(at, random);
    for (const Layer& layer : mlp->layers()) {
      if (config_.authors) break;
      const bool output = &layer == &mlp->layers().back();
      const float gain = !output ? std::sqrt(2.0f) : mlp == &actor_ ? 0.01f : 1.0f;
      orthogonalize(kernels_, at + layer.weight, layer.outputs, layer.inputs, gain, random,
                    stop_);
      std::fill_n(at + layer.bias, layer.outputs, 0.0f);
    }
    at += mlp->n_parameters();
  }
}

void PPOAgent::begin_episode(std::int64_t episode) {
  learning_ = episode >= config_.init_episodes;
}

// The logits, or the means of a continuous action; n_actions x columns.
const float* PPOAgent::center(const float* x, int vectors) {
  actor_.forward(actor(), x, vectors, actor_tape_);
  float* out = actor_tape_.h.back().data();
  if (continuous_ && config_.authors)
    kernels_.activate(out, std::size_t(n_actions_) * vectors * kernels_.width,
                      Activation::kTanh, 0.0f);
  return out;
}

void PPOAgent::measure_spread(float floor) {
  for (std::size_t a = 0; a < spread_size_; ++a) {
    const float spread = parameters_[a];
    // A NaN stays one.
    std_[a] = !config_.authors ? std::exp(spread) : spread < floor ? floor : spread;
    log_std_[a] = config_.authors ? std::log(std_[a]) : spread;
  }
}

Action PPOAgent::explore(const float* obs) {
  const std::size_t n = n_actions_, width = kernels_.width;
  for (int i = 0; i < obs_size_; ++i) column_[i * width] = obs[i];
  const float* out = center(column_.data(), 1);
  exploration_.uniform(noise_.data(), n);
  (continuous_ ? kernels_.normal_noise : kernels_.gumbel_noise)(noise_.data(), n);
  if (continuous_) measure_spread(kFloorActing);
  bool finite = true;
  for (std::size_t a = 0; a < n; ++a) {
    raw_[a] = out[a * width] + (continuous_ ? std_[a] : 1.0f) * noise_[a];
    clipped_[a] = std::min(std::max(raw_[a], -1.0f), 1.0f);
    finite = finite && is_finite(raw_[a]);
  }
  if (!finite) return -1;
  if (continuous_) return Action(clipped_.data());
  return int(std::max_element(raw_.begin(), raw_.end()) - raw_.begin());
}

Action PPOAgent::exploit(const float* obs) {
  const std::size_t width = kernels_.width;
  for (int i = 0; i < obs_size_; ++i) column_[i * width] = obs[i];
  const float* out = center(column_.data(), 1);
  int best = 0;
  bool finite = true;
  for (int a = 0; a < n_actions_; ++a) {
    const float x = out[a * width];
    finite = finite && is_finite(x);
    if (x > out[best * width]) best = a;
    greedy_[a] = std::min(std::max(x, -1.0f), 1.0f);
  }
  if (!finite) return -1;
  return continuous_ ? Action(greedy_.data()) : Action(best);
}

void PPOAgent::store(const float* state, Action action, const float* next_state, float reward,
                     float done) {
  const float index = float(action.index);
  const float* stored = continuous_ ? action.values : &index;
  if (continuous_ && std::equal(clipped_.begin(), clipped_.end(), stored)) stored = raw_.data();
  rollout_.add(state, stored, next_state, reward, done);
}

bool PPOAgent::learn() {
  if (config_.authors || rollout_.size() < config_.rollout_steps) return true;
  return update(draw_orders());
}

bool PPOAgent::learn_terminal() {
  if (config_.authors || rollout_.size() < config_.rollout_steps) return true;
  return update(draw_orders(), true);
}

bool PPOAgent::end_episode(bool) {
  rollout_.end_episode();
  const bool enough = rollout_.episodes() >= config_.update_episodes;
  if (!config_.authors || !learning_ || !enough) return true;
  return update(draw_orders());
}

// In an order of its own for each epoch (Fisher and Yates).
PPOAgent::Orders PPOAgent::draw_orders() {
  Orders orders;
  for (std::int64_t epoch = 0; epoch < config_.epochs; ++epoch) {
    std::vector<std::uint32_t>& order = orders.emplace_back(rollout_.size());
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t i = order.size(); !config_.authors && i-- > 1;)
      std::swap(order[i], order[order_.below(std::uint32_t(i + 1))]);
  }
  return orders;
}

template <typename F>
void PPOAgent::for_panels(const std::uint32_t* index, int n, int features, F f) {
  std::uint32_t padded[kMaxVectors * 16];
  const int width = kernels_.width, most = kMaxVectors * width;
  for (int at = 0; at < n && !stop_.load(std::memory_order_relaxed); at += most) {
    const int samples = std::min(most, n - at), vectors = (samples + width - 1) / width;
    const std::size_t columns = std::size_t(vectors) * width;
    std::fill(std::copy(index + at, index + at + samples, padded), padded + columns, index[at]);
    kernels_.gather(rollout_.rows(), rollout_.row_size(), padded, features, panel_.data(),
                    vectors);
    const auto row = [&](int r) { return panel_.data() + r * columns; };
    f(Panel{vectors, samples, columns, row(0), row(rollout_.action()),
            row(rollout_.advantage()), row(rollout_.target()), row(rollout_.log_probability()),
            row(rollout_.next_state())},
      at);
  }
}

// Log-probabilities of the actions taken, and the policy's entropy, in each column.
void PPOAgent::evaluate(const Panel& panel) {
  const float* out = center(panel.state, panel.vectors);
  continuous_ ? evaluate_normal(panel, out) : evaluate_softmax(panel, out);
}

void PPOAgent::evaluate_softmax(const Panel& panel, const float* logits) {
  const std::size_t n = panel.columns;
  for (std::size_t c = 0; c < n; ++c) {
    float top = logits[c], sum = 0, entropy = 0;
    for (int a = 1; a < n_actions_; ++a) top = std::max(top, logits[a * n + c]);
    for (int a = 0; a < n_actions_; ++a) sum += std::exp(logits[a * n + c] - top);
    const float log_sum = std::log(sum);
    for (int a = 0; a < n_actions_; ++a) {
      const float log_p = logits[a * n + c] - top - log_sum;
      center_[a * n + c] = log_p;
      entropy -= std::exp(log_p) * log_p;
    }
    entropy_[c] = entropy;
    log_probability_[c] = center_[std::size_t(panel.action[c]) * n + c];
  }
}

void PPOAgent::evaluate_normal(const Panel& panel, const float* mean) {
  const std::size_t n = panel.columns;
  float scale = 0;
  for (const float log_std : log_std_) scale += log_std + kHalfLog2Pi;
  std::fill_n(entropy_.data(), n, scale + 0.5f * float(n_actions_));
  std::fill_n(log_probability_.data(), n, -scale);
  std::copy(mean, mean + n_actions_ * n, center_.data());
  for (int a = 0; a < n_actions_; ++a)
    for (std::size_t c = 0; c < n; ++c) {
      const float z = (panel.action[a * n + c] - mean[a * n + c]) / std_[a];
      log_probability_[c] -= 0.5f * z * z;
    }
}

// Before the first gradient update: advantages and targets into the rows.
void PPOAgent::look_back(bool terminal) {
  std::vector<std::uint32_t> all(rollout_.size());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<float> value(all.size()), next_value(all.size());
  measure_spread(kFloorLearning);
  for_panels(all.data(), int(all.size()), rollout_.features(), [&](const Panel& panel, int at) {
    const auto values = [&](const float* states, std::vector<float>& to) {
      const float* v = critic_.forward(critic(), states, panel.vectors, critic_tape_);
      std::copy(v, v + panel.samples, to.begin() + at);
    };
    values(panel.state, value);
    if (!terminal) values(panel.next_state, next_value);
    evaluate(panel);
    for (int c = 0; c < panel.samples; ++c)
      rollout_.row(at + c)[rollout_.log_probability()] = log_probability_[c];
  });
  if (config_.authors)
    rollout_.standardize_returns(config_.gamma);
  else
    rollout_.estimate_advantages(value, next_value, config_.gamma, config_.gae_lambda);
}

bool PPOAgent::update(const Orders& orders, bool terminal) {
  look_back(terminal);
  for (const std::vector<std::uint32_t>& order : orders) {
    const int n = int(order.size()), size = config_.authors ? n : config_.batch_size;
    for (int at = 0; at < n && !stop_.load(std::memory_order_relaxed); at += size)
      if (!descend(order.data() + at, std::min(size, n - at))) return false;
  }
  rollout_.clear();
  return true;
}

// One step of Adam. With W weights in actor and critic: 6 W FLOPs a step of the rollout,
// two for each weight in the forward pass and two for each of both products back.
bool PPOAgent::descend(const std::uint32_t* index, int n) {
  const Standardization by = standardization(index, n);
  measure_spread(kFloorLearning);
  std::fill(d_spread_.begin(), d_spread_.end(), 0.0);
  double loss = 0;
  for_panels(index, n, rollout_.next_state(), [&](const Panel& panel, int at) {
    loss += differentiate_critic(panel, n, at == 0);
    loss += differentiate_actor(panel, n, at == 0, by);
  });
  std::copy(d_spread_.begin(), d_spread_.end(), gradient_.data());
  actor_.collect(actor_sums_, gradient_.data() + spread_size_);
  critic_.collect(critic_sums_, gradient_.data() + spread_size_ + actor_.n_parameters());
  if (!config_.authors && config_.max_grad_norm > 0) shorten_gradient();
  adam_.step(parameters_, gradient_);
  return is_finite(float(loss));
}

PPOAgent::Standardization PPOAgent::standardization(const std::uint32_t* index, int n) {
  if (n == 1 || config_.authors) return {};
  const auto advantage = [&](int i) {
    return double(rollout_.row(index[i])[rollout_.advantage()]);
  };
  double sum = 0, square = 0;
  for (int i = 0; i < n; ++i) sum += advantage(i);
  const double mean = sum / n;
  for (int i = 0; i < n; ++i) square += (advantage(i) - mean) * (advantage(i) - mean);
  return {float(mean), float(1 / (std::sqrt(square / (n - 1)) + 1e-8))};
}

// vf_coef mean (V(s) - y)^2; leaves V in the tape.
double PPOAgent::differentiate_critic(const Panel& panel, int n, bool first) {
  const float* value = critic_.forward(critic(), panel.state, panel.vectors, critic_tape_);
  const float factor = float(config_.vf_coef) / float(n);
  double loss = 0;
  for (std::size_t c = 0; c < panel.columns; ++c) {
    const float error = int(c) < panel.samples ? value[c] - panel.target[c] : 0.0f;
    loss += factor * error * error;
    d_value_[c] = 2 * factor * error;
  }
  critic_.backward(critic(), critic_tape_, d_value_.data(), panel.vectors, first, critic_sums_);
  return loss;
}

// mean of -min(p A', clip(p) A') - ent_coef H
double PPOAgent::differentiate_actor(const Panel& panel, int n, bool first,
                                     Standardization by) {
  evaluate(panel);
  const float* value = critic_tape_.output();
  double loss = 0;
  for (int c = 0; c < panel.samples; ++c) {
    const float advantage = config_.authors ? panel.target[c] - value[c]
                                            : (panel.advantage[c] - by.mean) * by.factor;
    const float ratio = std::exp(log_probability_[c] - panel.log_probability[c]);
    loss -= surrogate(advantage, ratio, &d_log_probability_[c]);
    loss -= config_.ent_coef * entropy_[c];
    d_log_probability_[c] /= float(-n);
  }
  std::fill(d_log_probability_.data() + panel.samples,
            d_log_probability_.data() + panel.columns, 0.0f);
  continuous_ ? normal_delta(panel, n) : softmax_delta(panel, n);
  actor_.backward(actor(), actor_tape_, d_center_.data(), panel.vectors, first, actor_sums_);
  return loss / n;
}

// And its slope by the log-probability.
float PPOAgent::surrogate(float advantage, float ratio, float* slope) const {
  const float clip = float(config_.clip_range), free = ratio * advantage;
  const float clipped = std::min(std::max(ratio, 1 - clip), 1 + clip) * advantage;
  *slope = clipped < free ? 0.0f : free;
  return clipped < free ? clipped : free;
}

// dL/dlogit = dL/dlog p (1 [taken] - p) + ent_coef / n p (log p + H)
void PPOAgent::softmax_delta(const Panel& panel, int n) {
  const std::size_t columns = panel.columns;
  const float factor = float(config_.ent_coef) / float(n);
  for (int a = 0; a < n_actions_; ++a)
    for (std::size_t c = 0; c < columns; ++c) {
      const float log_p = center_[a * columns + c], p = std::exp(log_p);
      const float taken = panel.action[c] == float(a) ? 1.0f : 0.0f;
      const float of_entropy = int(c) < panel.samples ? factor * p * (log_p + entropy_[c]) : 0;
      d_center_[a * columns + c] = d_log_probability_[c] * (taken - p) + of_entropy;
    }
}

// With z = (a - mean) / std: dL/dmean = dL/dlog p z / std, dL/dlog std = dL/dlog p (z^2 - 1),
// and of the entropy -ent_coef.
void PPOAgent::normal_delta(const Panel& panel, int n) {
  const std::size_t columns = panel.columns;
  for (int a = 0; a < n_actions_; ++a) {
    double by_log_std = -config_.ent_coef * panel.samples / n;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t at = a * columns + c;
      const float z = (panel.action[at] - center_[at]) / std_[a];
      by_log_std += d_log_probability_[c] * (z * z - 1);
      d_center_[at] = d_log_probability_[c] * z / std_[a];
      if (config_.authors) d_center_[at] *= 1 - center_[at] * center_[at];
    }
    if (!config_.authors)
      d_spread_[a] += by_log_std;
    else if (parameters_[a] >= kFloorLearning)
      d_spread_[a] += by_log_std / std_[a];
  }
}

// In sixteen sums, which fit vectors.
void PPOAgent::shorten_gradient() {
  float sums[16] = {};
  for (std::size_t i = 0; i < gradient_.padded_size(); i += 16)
    for (int k = 0; k < 16; ++k) sums[k] += gradient_[i + k] * gradient_[i + k];
  const float norm = std::sqrt(std::accumulate(sums, sums + 16, 0.0f));
  const float factor = float(config_.max_grad_norm) / (norm + 1e-6f);
  if (!(factor < 1)) return;
  for (std::size_t i = 0; i < gradient_.size(); ++i) gradient_[i] *= factor;
}

namespace {

std::unique_ptr<Agent> make(const AgentContext& context) {
  return std::make_unique<PPOAgent>(context);
}

// For each step of the environment: three products with all weights in each epoch.
double cost(const Fields& f, int obs_size, int n_actions) {
  const PPOConfig c(f);
  return 3 * double(c.epochs) * c.weights(obs_size, n_actions);
}

// Parameters, gradient, two moments, gradient sums (at most 16 per weight at the ends), a
// rollout with its orders.
double memory(const Fields& f, int obs_size, int n_actions) {
  const PPOConfig c(f);
  const double step = 2 * obs_size + n_actions + 3 + 16 + 10 + double(c.epochs);
  return 6 * c.weights(obs_size, n_actions) +
         16.0 * c.hidden_size * (2 * obs_size + n_actions + 1) +
         8 * 48 * double(c.hidden_layers) * c.hidden_size + 2 * step * double(c.rollout_steps);
}

}  // namespace

extern const AgentEntry kPPO;
const AgentEntry kPPO{make, cost, memory};

}  // namespace se_hpo
