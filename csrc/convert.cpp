#include "convert.hpp"

#include <map>
#include <stdexcept>

namespace py = pybind11;

namespace se_hpo {

Activation activation_from(const std::string& name) {
  static const std::map<std::string, Activation> names = {
      {"tanh", Activation::kTanh},
      {"relu", Activation::kRelu},
      {"leaky_relu", Activation::kLeakyRelu},
      {"prelu", Activation::kPrelu},
  };
  return names.at(name);
}

AgentConfig agent_config_from(const py::dict& d) {
  AgentConfig c{};
  const auto get = [&d](const char* name, auto& field) {
    field = d[name].cast<std::decay_t<decltype(field)>>();
  };
  get("algorithm", c.algorithm);
  get("train_episodes", c.train_episodes);
  get("test_episodes", c.test_episodes);
  get("init_episodes", c.init_episodes);
  get("max_env_steps", c.max_env_steps);
  get("stop_window", c.stop_window);
  get("plateau_tolerance", c.plateau_tolerance);
  c.terminal_truncation = d["truncation"].cast<std::string>() == "terminal";
  get("batch_size", c.batch_size);
  get("buffer_size", c.buffer_size);
  get("gamma", c.gamma);
  get("lr", c.lr);
  get("tau", c.tau);
  c.activation = activation_from(d["activation"].cast<std::string>());
  get("hidden_size", c.hidden_size);
  get("hidden_layers", c.hidden_layers);
  if (d.contains("eps_init")) {
    get("eps_init", c.eps_init);
    get("eps_min", c.eps_min);
    get("eps_decay", c.eps_decay);
  }
  if (d.contains("feature_size")) {
    get("feature_size", c.feature_size);
    c.batch_advantage_mean = d["advantage_mean"].cast<std::string>() == "batch";
  }
  if (d.contains("policy_delay")) {
    get("policy_delay", c.policy_delay);
    get("action_std", c.action_std);
    get("policy_std", c.policy_std);
    get("policy_std_clip", c.policy_std_clip);
    get("gumbel_temperature", c.gumbel_temperature);
    get("gumbel_anneal_updates", c.gumbel_anneal_updates);
    get("gumbel_hard", c.gumbel_hard);
    get("layer_norm", c.layer_norm);
  }
  return c;
}

SyntheticEnvConfig se_config_from(const py::dict& d) {
  return {activation_from(d["activation"].cast<std::string>()), d["hidden_size"].cast<int>(),
          d["hidden_layers"].cast<int>()};
}

const Kernels& kernels_named(const std::string& isa) {
  const Kernels* kernels = find_kernels(isa.c_str());
  if (!kernels) throw std::invalid_argument("no kernels for instruction set " + isa);
  return *kernels;
}

}  // namespace se_hpo
