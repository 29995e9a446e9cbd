#include "mlp.hpp"

#include <algorithm>
#include <cmath>

namespace se_hpo {

Mlp::Mlp(const Kernels& kernels, int inputs, int outputs, int hidden_size, int hidden_layers,
         Activation activation, bool layer_norm)
    : kernels_(kernels), activation_(activation) {
  for (int l = 0; l <= hidden_layers; ++l) {
    const int in = l == 0 ? inputs : hidden_size;
    const int out = l == hidden_layers ? outputs : hidden_size;
    const std::size_t weight = n_parameters_, bias = weight + std::size_t(in) * out;
    const bool normalized = layer_norm && 0 < l && l < hidden_layers;
    const std::size_t gain = bias + out, shift = gain + (normalized ? out : 0);
    layers_.push_back({in, out, weight, bias, normalized, gain, shift});
    n_parameters_ = shift + (normalized ? out : 0);
  }
  if (activation == Activation::kPrelu) ++n_parameters_;
}

void Mlp::initialize(float* parameters, Random& random) const {
  for (const Layer& layer : layers_) {
    const double bound = 1.0 / std::sqrt(double(layer.inputs));
    const std::size_t end = layer.bias + layer.outputs;
    for (std::size_t i = layer.weight; i < end; ++i)
      parameters[i] = static_cast<float>(random.uniform(-bound, bound));
    if (!layer.normalized) continue;
    std::fill_n(parameters + layer.gain, layer.outputs, 1.0f);
    std::fill_n(parameters + layer.shift, layer.outputs, 0.0f);
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
  for (const Layer& layer : layers_) {
    tape.normalized.emplace_back(layer.normalized ? std::size_t(layer.outputs) * columns : 0);
    tape.inverse_std.emplace_back(layer.normalized ? columns : 0);
  }
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
    const std::size_t norm = layer.normalized ? std::size_t(layer.outputs) * kernels_.width : 0;
    gradient.gain_sum.emplace_back(norm);
    gradient.shift_sum.emplace_back(norm);
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
    const bool hidden = l + 1 < layers_.size(), fused = hidden && !layer.normalized;
    const std::size_t n = layer.outputs * columns;
    kernels_.forward(parameters + layer.weight, parameters + layer.bias, layer.outputs,
                     layer.inputs, x, h, vectors, fused ? activation_ : Activation::kLinear);
    if (layer.normalized)
      kernels_.normalize(parameters + layer.gain, parameters + layer.shift, layer.outputs, h,
                         tape.normalized[l].data(), tape.inverse_std[l].data(), vectors);
    if (hidden && activation_ == Activation::kPrelu) std::copy(h, h + n, tape.z[l].data());
    if (layer.normalized || (hidden && activation_ == Activation::kPrelu))
      kernels_.activate(h, n, activation_, slope(parameters));
    x = h;
  }
  return x;
}

void Mlp::backward(const float* parameters, const Tape& tape, const float* dy, int vectors,
                   bool first, Gradient& gradient, float* dx) const {
  if (first) gradient.slope = 0;
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const float* x = l == 0 ? tape.x : tape.h[l - 1].data();
    kernels_.accumulate(dy, x, layer.outputs, layer.inputs, vectors,
                        gradient.weight_sum[l].data(), gradient.bias_sum[l].data(),
                        gradient.scratch.data(), first);
    if (l == 0 && !dx) return;
    dy = descend(parameters, tape, l, dy, vectors, first ? Sums::kFirst : Sums::kFurther,
                 gradient, dx);
  }
}

void Mlp::input_gradient(const float* parameters, const Tape& tape, const float* dy, int vectors,
                         Gradient& gradient, float* dx) const {
  for (std::size_t l = layers_.size(); l-- > 0;)
    dy = descend(parameters, tape, l, dy, vectors, Sums::kNone, gradient, dx);
}

const float* Mlp::descend(const float* parameters, const Tape& tape, std::size_t l,
                          const float* dy, int vectors, Sums sums, Gradient& gradient,
                          float* dx) const {
  const Layer& layer = layers_[l];
  const std::size_t columns = std::size_t(vectors) * kernels_.width;
  const float* x = l == 0 ? tape.x : tape.h[l - 1].data();
  float* below = l == 0 ? dx : gradient.delta[l - 1].data();
  kernels_.backward_input(parameters + layer.weight, layer.outputs, layer.inputs, dy, x, below,
                          vectors, l == 0 ? Activation::kLinear : activation_);
  if (l == 0) return below;
  if (activation_ == Activation::kPrelu) {
    const float sum = kernels_.prelu_backward(below, tape.z[l - 1].data(),
                                              layer.inputs * columns, slope(parameters));
    if (sums != Sums::kNone) gradient.slope += sum;
  }
  if (layers_[l - 1].normalized)
    kernels_.normalize_backward(
        parameters + layers_[l - 1].gain, tape.normalized[l - 1].data(),
        tape.inverse_std[l - 1].data(), layer.inputs, below, vectors,
        sums == Sums::kNone ? nullptr : gradient.gain_sum[l - 1].data(),
        gradient.shift_sum[l - 1].data(), sums == Sums::kFirst);
  return below;
}

void Mlp::collect(const Gradient& gradient, float* out) const {
  for (std::size_t l = 0; l < layers_.size(); ++l)
    kernels_.collect(gradient.weight_sum[l].data(), gradient.bias_sum[l].data(),
                     layers_[l].outputs, layers_[l].inputs, out + layers_[l].weight,
                     out + layers_[l].bias);
  for (std::size_t l = 0; l < layers_.size(); ++l)
    if (layers_[l].normalized) {
      kernels_.collect_sums(gradient.gain_sum[l].data(), layers_[l].outputs,
                            out + layers_[l].gain);
      kernels_.collect_sums(gradient.shift_sum[l].data(), layers_[l].outputs,
                            out + layers_[l].shift);
    }
  if (activation_ == Activation::kPrelu)
    out[n_parameters_ - 1] = static_cast<float>(gradient.slope);
}

}  // namespace se_hpo
