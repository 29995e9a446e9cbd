#include "synthetic_env.hpp"

#include <algorithm>
#include <utility>

namespace se_hpo {

namespace {
int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }
}  // namespace

SyntheticEnv::SyntheticEnv(const Kernels& kernels, const SyntheticEnvConfig& config,
                           const float* psi, int obs_size, int n_actions,
                           std::unique_ptr<Environment> task)
    : kernels_(kernels),
      activation_(config.activation),
      obs_size_(obs_size),
      task_(std::move(task)),
      state_(obs_size),
      next_(obs_size),
      ping_(round_up(config.hidden_size, kernels.width)),
      pong_(round_up(config.hidden_size, kernels.width)) {
  for (const int outputs : {obs_size, 1, 1}) psi = load_net(psi, config, outputs, n_actions);
}

std::size_t SyntheticEnv::n_parameters(const SyntheticEnvConfig& config, int obs_size,
                                       int n_actions) {
  const std::size_t hidden = config.hidden_size, inputs = n_actions + obs_size;
  const std::size_t outputs = obs_size + 2;
  const std::size_t middle = (config.hidden_layers - 1) * hidden * (hidden + 1);
  return 3 * (hidden * (inputs + 1) + middle) + outputs * (hidden + 1);
}

const float* SyntheticEnv::load_net(const float* psi, const SyntheticEnvConfig& config,
                                    int outputs, int n_actions) {
  const int size = config.hidden_size, stride = round_up(size, kernels_.width);
  Net net;
  for (int l = 0; l < config.hidden_layers; ++l) {
    const int one_hot = l == 0 ? n_actions : 0, inputs = l == 0 ? obs_size_ : size;
    const int columns = one_hot + inputs;
    const float* bias = psi + std::ptrdiff_t(size) * columns;
    Hidden hidden{inputs, size, stride, Buffer(std::size_t(inputs) * stride), {}};
    for (int o = 0; o < size; ++o)
      for (int i = 0; i < inputs; ++i)
        hidden.weight[std::size_t(i) * stride + o] = psi[std::ptrdiff_t(o) * columns + one_hot + i];
    for (int a = 0; a < std::max(one_hot, 1); ++a) {
      Buffer sum(stride);
      for (int o = 0; o < size; ++o)
        sum[o] = bias[o] + (one_hot ? psi[std::ptrdiff_t(o) * columns + a] : 0.0f);
      hidden.bias.push_back(std::move(sum));
    }
    net.hidden.push_back(std::move(hidden));
    psi = bias + size;
  }
  net.outputs = outputs;
  net.stride = stride;
  net.weight = Buffer(std::size_t(outputs) * stride);
  net.bias = Buffer(outputs);
  for (int o = 0; o < outputs; ++o, psi += size)
    std::copy(psi, psi + size, net.weight.data() + std::size_t(o) * stride);
  std::copy(psi, psi + outputs, net.bias.data());
  nets_.push_back(std::move(net));
  return psi + outputs;
}

void SyntheticEnv::evaluate(const Net& net, int action, const float* state, float* out) {
  const float* x = state;
  float *y = ping_.data(), *other = pong_.data();
  for (const Hidden& layer : net.hidden) {
    const Buffer& bias = layer.bias[layer.bias.size() > 1 ? action : 0];
    kernels_.vector_forward(layer.weight.data(), bias.data(), layer.inputs, layer.stride, x, y,
                            activation_);
    std::fill(y + layer.outputs, y + layer.stride, 0.0f);  // NaN where an input is infinite
    x = y;
    std::swap(y, other);
  }
  kernels_.vector_output(net.weight.data(), net.bias.data(), net.outputs, net.stride, x, out);
}

void SyntheticEnv::reset(float* obs) {
  task_->reset(obs);
  std::copy(obs, obs + obs_size_, state_.data());
}

Step SyntheticEnv::step(int action, float* obs) {
  float reward, done;
  evaluate(nets_[0], action, state_.data(), next_.data());
  evaluate(nets_[1], action, state_.data(), &reward);
  evaluate(nets_[2], action, state_.data(), &done);
  std::swap(state_, next_);
  std::copy(state_.data(), state_.data() + obs_size_, obs);
  return {reward, done, done > 0.5f, false};
}

}  // namespace se_hpo
