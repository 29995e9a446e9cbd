// A network of a learned environment, for one input at a time.
#pragma once

#include <vector>

#include "../buffer.hpp"
#include "../job.hpp"

namespace se_hpo {

class SingleMlp {
 public:
  // Inputs are concat(one-hot action, state). Takes its parameters from psi, layer by
  // layer weight (out x in) and bias, and moves psi behind them.
  SingleMlp(const Kernels& kernels, const Fields& config, const Net& net, int n_actions,
            const float*& psi);

  void operator()(int action, const float* state, float* out);

 private:
  // A hidden layer, outputs padded to whole SIMD vectors; weight is inputs x stride.
  struct Hidden {
    int inputs;
    Buffer weight;
    std::vector<Buffer> bias;  // first layer: one per action, its weights added
  };

  const float* load_hidden(int one_hot, int inputs, const float* psi);

  const Kernels& kernels_;
  Activation activation_;
  int size_, stride_, outputs_;
  std::vector<Hidden> hidden_;
  Buffer weight_, bias_;  // output layer: outputs x stride
  Buffer ping_, pong_;
};

}  // namespace se_hpo
