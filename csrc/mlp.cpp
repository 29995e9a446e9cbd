#include "mlp.hpp"

#include <algorithm>
#include <cmath>

namespace se_hpo {

Mlp::Mlp(const Kernels& kernels, int inputs, int outputs, int hidden_size, int hidden_layers,
         Activation activation)
    : kernels_(kernels), activation_(activation) {
  for (int l = 0; l <= hidden_layers; ++l) {
    const int in = l == 0 ? inputs : hidden_size;
    const int out = l == hidden_layers ? outputs : hidden_size;
    const std::size_t weight = n_parameters_, bias = weight + std::size_t(in) * out;
    layers_.push_back({in, out, weight, bias});
    n_parameters_ = bias + out;
  }
  if (activation == Activation::kPrelu) ++n_parameters_;
}

void Mlp::initialize(float* parameters, Random& random) const {
  for (const Layer& layer : layers_) {
    const double bound = 1.0 / std::sqrt(double(layer.inputs));
    const std::size_t end = layer.bias + layer.outputs;
    for (std::size_t i = layer.weight; i < end; ++i)
      parameters[i] = static_cast<float>(random.uniform(-bound, bound));
  }
  if (activation_ == Activation::kPrelu) parameters[n_parameters_ - 1] = kPreluSlope;
}

float Mlp::slope(const float* parameters) const {
  return activation_ == Activation::kPrelu ? parameters[n_parameters_ - 1] : 0.0f;
}

Mlp::Tape Mlp::make_tape() const {
  const int columns = kMaxVectors * kernels_.width;
  Tape tape;
  for (const Layer& layer : layers_) tape.h.emplace_back(std::size_t(layer.outputs) * columns);
  if (activation_ == Activation::kPrelu)
    for (const Layer& layer : layers_) tape.z.emplace_back(std::size_t(layer.outputs) * columns);
  return tape;
}

Mlp::Gradient Mlp::make_gradient() const {
  const int columns = kMaxVectors * kernels_.width;
  Gradient gradient;
  std::size_t scratch = 0;
  for (const Layer& layer : layers_) {
    gradient.weight_sum.emplace_back(kernels_.weight_sum_size(layer.outputs, layer.inputs));
    gradient.bias_sum.emplace_back(std::size_t(layer.outputs) * kernels_.width);
    gradient.delta.emplace_back(std::size_t(layer.outputs) * columns);
    scratch = std::max(scratch, kernels_.scratch_size(layer.inputs));
  }
  gradient.scratch = Buffer(scratch);
  return gradient;
}

const float* Mlp::forward(const float* parameters, const float* x, int vectors,
                          Tape& tape) const {
  const std::size_t columns = std::size_t(vectors) * kernels_.width;
  tape.x = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    float* h = tape.h[l].data();
    const bool hidden = l + 1 < layers_.size();
    kernels_.forward(parameters + layer.weight, parameters + layer.bias, layer.outputs,
                     layer.inputs, x, h, vectors, hidden ? activation_ : Activation::kLinear);
    if (hidden && activation_ == Activation::kPrelu) {
      const std::size_t n = layer.outputs * columns;
      std::copy(h, h + n, tape.z[l].data());
      kernels_.activate(h, n, activation_, slope(parameters));
    }
    x = h;
  }
  return x;
}

void Mlp::backward(const float* parameters, const Tape& tape, const float* dy, int vectors,
                   bool first, Gradient& gradient, float* dx) const {
  const std::size_t columns = std::size_t(vectors) * kernels_.width;
  if (first) gradient.slope = 0;
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const float* x = l == 0 ? tape.x : tape.h[l - 1].data();
    kernels_.accumulate(dy, x, layer.outputs, layer.inputs, vectors,
                        gradient.weight_sum[l].data(), gradient.bias_sum[l].data(),
                        gradient.scratch.data(), first);
    if (l == 0 && !dx) return;
    float* below = l == 0 ? dx : gradient.delta[l - 1].data();
    kernels_.backward_input(parameters + layer.weight, layer.outputs, layer.inputs, dy, x, below,
                            vectors, l == 0 ? Activation::kLinear : activation_);
    if (l > 0 && activation_ == Activation::kPrelu)
      gradient.slope += kernels_.prelu_backward(below, tape.z[l - 1].data(),
                                                layer.inputs * columns, slope(parameters));
    dy = below;
  }
}

void Mlp::collect(const Gradient& gradient, float* out) const {
  for (std::size_t l = 0; l < layers_.size(); ++l)
    kernels_.collect(gradient.weight_sum[l].data(), gradient.bias_sum[l].data(),
                     layers_[l].outputs, layers_[l].inputs, out + layers_[l].weight,
                     out + layers_[l].bias);
  if (activation_ == Activation::kPrelu)
    out[n_parameters_ - 1] = static_cast<float>(gradient.slope);
}

}  // namespace se_hpo
