// The configuration of agents with MLPs and a replay buffer; see se_hpo.agents.config.DeepAgentConfig.
#pragma once

#include "../fields.hpp"

namespace se_hpo {

struct OffPolicyConfig {
  explicit OffPolicyConfig(const Fields& f)
      : batch_size(f.size("batch_size", 1 << 20)),
        buffer_size(f.integer("buffer_size", std::int64_t(1) << 31)),
        gamma(f.real("gamma")),
        lr(f.real("lr")),
        tau(f.real("tau")),
        activation(f.activation()),
        hidden_size(f.size("hidden_size", 1 << 16)),
        hidden_layers(f.size("hidden_layers", 64)) {}

  int batch_size;
  std::int64_t buffer_size;
  double gamma, lr, tau;
  Activation activation;
  int hidden_size, hidden_layers;

  // Of a network with `ends` inputs and outputs together; `more`: beyond its hidden layers.
  double weights(int ends, double more = 0) const {
    const double hidden = hidden_size;
    return hidden * ends + (hidden_layers - 1) * hidden * hidden + more;
  }
  // Floats of a network: parameters, target, gradient, two moments, gradient sums (at most
  // 16 per weight at the ends), one batch, activations of a few panels (`more` as above).
  double memory(int ends, double more_weights = 0, double more_activations = 0) const {
    return 7 * weights(ends, more_weights) + 16.0 * hidden_size * ends +
           2.0 * batch_size * (ends + 4) +
           4 * 48 * (double(hidden_layers) * hidden_size + more_activations);
  }
};

}  // namespace se_hpo
