// The synthetic environment: three nets for next state, reward and done.
#pragma once

#include <memory>
#include <vector>

#include "../buffer.hpp"
#include "../job.hpp"
#include "environment.hpp"

namespace se_hpo {

class SyntheticEnv final : public Environment {
 public:
  // psi is flat: state, reward, done net; each layer by layer, weight (out x in), bias.
  // Inputs are concat(one-hot action, state). Initial states are drawn by `task`.
  SyntheticEnv(const Kernels& kernels, const SyntheticEnvConfig& config, const float* psi,
               int obs_size, int n_actions, std::unique_ptr<Environment> task);

  static std::size_t n_parameters(const SyntheticEnvConfig& config, int obs_size,
                                  int n_actions);

  void reset(float* obs) override;
  Step step(int action, float* obs) override;

 private:
  // A hidden layer, outputs padded to whole SIMD vectors; weight is inputs x stride.
  struct Hidden {
    int inputs, outputs, stride;
    Buffer weight;
    std::vector<Buffer> bias;  // first layer: one per action, its weights added
  };
  struct Net {
    std::vector<Hidden> hidden;
    int outputs, stride;
    Buffer weight, bias;  // output layer: outputs x stride
  };

  const float* load_net(const float* psi, const SyntheticEnvConfig& config, int outputs,
                        int n_actions);
  void evaluate(const Net& net, int action, const float* state, float* out);

  const Kernels& kernels_;
  Activation activation_;
  int obs_size_;
  std::unique_ptr<Environment> task_;
  std::vector<Net> nets_;
  Buffer state_, next_, ping_, pong_;
};

}  // namespace se_hpo
