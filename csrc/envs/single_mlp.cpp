#include "single_mlp.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace se_hpo {

namespace {
int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }
}  // namespace

SingleMlp::SingleMlp(const Kernels& kernels, const Fields& config, const Net& net,
                     int n_actions, const float*& psi)
    : kernels_(kernels),
      activation_(config.activation()),
      size_(config.size("hidden_size", 1 << 30)),
      stride_(round_up(size_, kernels.width)),
      outputs_(net.outputs),
      weight_(std::size_t(outputs_) * stride_),
      bias_(outputs_),
      ping_(stride_),
      pong_(stride_) {
  psi = load_hidden(n_actions, net.inputs - n_actions, psi);
  for (int l = config.size("hidden_layers", 64); l > 1; --l) psi = load_hidden(0, size_, psi);
  for (int o = 0; o < outputs_; ++o, psi += size_)
    std::copy(psi, psi + size_, weight_.data() + std::size_t(o) * stride_);
  std::copy(psi, psi + outputs_, bias_.data());
  psi += outputs_;
}

const float* SingleMlp::load_hidden(int one_hot, int inputs, const float* psi) {
  const int columns = one_hot + inputs;
  const float* bias = psi + std::ptrdiff_t(size_) * columns;
  Hidden hidden{inputs, Buffer(std::size_t(inputs) * stride_), {}};
  for (int o = 0; o < size_; ++o)
    for (int i = 0; i < inputs; ++i)
      hidden.weight[std::size_t(i) * stride_ + o] = psi[std::ptrdiff_t(o) * columns + one_hot + i];
  for (int a = 0; a < std::max(one_hot, 1); ++a) {
    Buffer sum(stride_);
    for (int o = 0; o < size_; ++o)
      sum[o] = bias[o] + (one_hot ? psi[std::ptrdiff_t(o) * columns + a] : 0.0f);
    hidden.bias.push_back(std::move(sum));
  }
  hidden_.push_back(std::move(hidden));
  return bias + size_;
}

void SingleMlp::operator()(int action, const float* state, float* out) {
  const float* x = state;
  float *y = ping_.data(), *other = pong_.data();
  for (const Hidden& layer : hidden_) {
    const Buffer& bias = layer.bias[layer.bias.size() > 1 ? action : 0];
    kernels_.vector_forward(layer.weight.data(), bias.data(), layer.inputs, stride_, x, y,
                            activation_);
    std::fill(y + size_, y + stride_, 0.0f);  // NaN where an input is infinite
    x = y;
    std::swap(y, other);
  }
  kernels_.vector_output(weight_.data(), bias_.data(), outputs_, stride_, x, out);
}

}  // namespace se_hpo
