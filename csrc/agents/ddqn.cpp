// Double DQN (van Hasselt et al. 2016): one MLP from observation to action values.
#include <utility>

#include "double_q.hpp"

namespace se_hpo {
namespace {

class MlpQ final : public QNetwork {
 public:
  MlpQ(const Kernels& kernels, const DoubleQConfig& config, int obs_size, int n_actions)
      : mlp_(kernels, obs_size, n_actions, config.hidden_size, config.hidden_layers,
             config.activation),
        gradient_(mlp_.make_gradient()) {
    for (Mlp::Tape& tape : tapes_) tape = mlp_.make_tape();
  }

  std::size_t n_parameters() const override { return mlp_.n_parameters(); }

  void initialize(float* parameters, Random& random) const override {
    mlp_.initialize(parameters, random);
  }

  const float* forward(const float* parameters, const float* obs, int vectors,
                       Pass pass) override {
    return mlp_.forward(parameters, obs, vectors, tapes_[pass]);
  }

  void backward(const float* parameters, const float* dq, int vectors, bool first) override {
    mlp_.backward(parameters, tapes_[kOnline], dq, vectors, first, gradient_);
  }

  void collect(float* gradient) const override { mlp_.collect(gradient_, gradient); }

 private:
  Mlp mlp_;
  Mlp::Tape tapes_[kPasses];
  Mlp::Gradient gradient_;
};

std::unique_ptr<Agent> make(const AgentContext& c) {
  return std::make_unique<DoubleQAgent>(
      c, std::make_unique<MlpQ>(c.kernels, DoubleQConfig(c.config), c.obs_size, c.n_actions));
}

double cost(const Fields& f, int obs_size, int n_actions) {
  const DoubleQConfig c(f);
  return c.cost(c.weights(obs_size + n_actions));
}

double memory(const Fields& f, int obs_size, int n_actions) {
  return DoubleQConfig(f).memory(obs_size + n_actions);
}

}  // namespace

extern const AgentEntry kDDQN;
const AgentEntry kDDQN{make, cost, memory};

}  // namespace se_hpo
