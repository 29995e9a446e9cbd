// What goes into an inner loop and what comes out; the C++ side of se_hpo/jobs.py.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "random.hpp"

namespace se_hpo {

// se_hpo.config.DDQNConfig, DuelingDDQNConfig and TD3DiscreteConfig in one.
struct AgentConfig {
  std::string algorithm;
  std::int64_t train_episodes, test_episodes, init_episodes, max_env_steps, stop_window;
  double plateau_tolerance;
  bool terminal_truncation;
  int batch_size;
  std::int64_t buffer_size;
  double gamma, lr, tau;
  Activation activation;
  int hidden_size, hidden_layers;
  double eps_init, eps_min, eps_decay;
  int feature_size = 0;
  bool batch_advantage_mean = false;
  std::int64_t policy_delay = 1, gumbel_anneal_updates = 0;
  double action_std = 0, policy_std = 0, policy_std_clip = 0, gumbel_temperature = 1;
  bool gumbel_hard = false, layer_norm = false;
};

struct SyntheticEnvConfig {
  Activation activation;
  int hidden_size, hidden_layers;
};

class Environment;

struct TaskSpec {
  std::int64_t max_steps;
  double solved_return, worst_return;
  int obs_size, n_actions;
  // Makes a new environment of the task with its generator.
  std::function<std::unique_ptr<Environment>(Random)> make;
};

struct Job {
  TaskSpec task;
  AgentConfig agent;
  std::uint64_t seed;
  bool on_se;
  SyntheticEnvConfig se;
  std::vector<float> psi;
};

enum class StopReason { kPlateau, kSolved, kTrainEpisodes, kMaxEnvSteps, kDiverged };

struct Result {
  std::vector<double> test_returns, episode_returns;
  std::vector<std::int64_t> episode_lengths;
  std::int64_t test_env_steps = 0;
  StopReason stop_reason = StopReason::kTrainEpisodes;
};


}  // namespace se_hpo
