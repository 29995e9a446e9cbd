// A multilayer perceptron over panels: hidden layers with one activation, linear output.
//
// Parameters lie flat, layer by layer: weight (out x in, row-major), bias, and gain and
// shift of the layer normalization that a hidden layer after the first may have before its
// activation; a prelu's one slope comes last. The same Mlp serves the online and the target
// parameters.
#pragma once

#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "random.hpp"

namespace se_hpo {

struct Layer {
  int inputs, outputs;
  std::size_t weight, bias;  // offsets into the parameters
  bool normalized;
  std::size_t gain, shift;
};

class Mlp {
 public:
  // What the forward pass of one panel leaves for the backward pass.
  struct Tape {
    const float* x = nullptr;
    std::vector<Buffer> h;  // per layer: outputs x columns
    std::vector<Buffer> z;  // prelu only: pre-activations
    std::vector<Buffer> normalized, inverse_std;  // per layer, see Kernels::normalize
    const float* output() const { return h.back().data(); }
  };

  // Accumulates the gradient over the panels of a batch.
  struct Gradient {
    std::vector<Buffer> weight_sum, bias_sum, delta, gain_sum, shift_sum;
    Buffer scratch;
    double slope = 0;
  };

  Mlp(const Kernels& kernels, int inputs, int outputs, int hidden_size, int hidden_layers,
      Activation activation, bool layer_norm = false);

  std::size_t n_parameters() const { return n_parameters_; }
  const std::vector<Layer>& layers() const { return layers_; }

  // torch's nn.Linear default: U(-1/sqrt(fan_in), 1/sqrt(fan_in)); gain 1, shift 0, prelu
  // slope 0.25.
  void initialize(float* parameters, Random& random) const;

  Tape make_tape() const;
  Gradient make_gradient() const;

  // Returns the output, outputs x columns, which lives in the tape.
  const float* forward(const float* parameters, const float* x, int vectors, Tape& tape) const;

  // Adds the gradient of the panel. If `dx` is given, it gets the gradient by the input.
  void backward(const float* parameters, const Tape& tape, const float* dy, int vectors,
                bool first, Gradient& gradient, float* dx = nullptr) const;

  // Only the gradient by the input, to `dx`; `gradient` lends memory and keeps its sums.
  void input_gradient(const float* parameters, const Tape& tape, const float* dy, int vectors,
                      Gradient& gradient, float* dx) const;

  // The gradient of the whole batch, in the layout of the parameters.
  void collect(const Gradient& gradient, float* out) const;

 private:
  enum class Sums { kNone, kFirst, kFurther };

  float slope(const float* parameters) const;
  // From the gradient by the output of layer `l` to the one by the output of the matrix
  // product below it, or by the input.
  const float* descend(const float* parameters, const Tape& tape, std::size_t l,
                       const float* dy, int vectors, Sums sums, Gradient& gradient,
                       float* dx) const;

  const Kernels& kernels_;
  Activation activation_;
  std::vector<Layer> layers_;
  std::size_t n_parameters_ = 0;
};

}  // namespace se_hpo
