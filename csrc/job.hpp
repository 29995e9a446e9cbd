// What goes into an inner loop and what comes out; the C++ side of se_hpo/training/jobs.py.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "fields.hpp"
#include "random.hpp"

namespace se_hpo {

class Environment;

struct TaskSpec {
  std::int64_t max_steps;
  double solved_return, worst_return;
  int obs_size, n_actions;  // continuous: n_actions numbers per action
  // Makes a new environment of the task with its generator.
  std::function<std::unique_ptr<Environment>(Random)> make;
  bool continuous = false;
  bool discrete_obs = false;  // observations are one-hot
};

// A network of a learned environment. Python lays psi out (se_hpo/envs/parameters.py).
struct Net {
  int inputs, outputs;
};

// What an agent trains on instead of the task.
struct Learned {
  Fields config;  // `kind`: a name in learned_environments()
  std::vector<Net> nets;
  std::vector<float> psi;
};

struct Job {
  TaskSpec task;
  Fields agent;  // `algorithm`: a name in agents()
  std::uint64_t seed;
  std::optional<Learned> learned;
  bool stop_by_rule = true;
  bool test_while_training = false;  // greedy test episodes after training episodes
  // Steps on an SE by which exploration falls (0: by episodes), and the first that is learned
  // from.
  std::int64_t schedule = 0, learn_from = 0;
  std::int64_t max_test_steps = 0;  // of a test episode; 0: the task's limit
  std::int64_t test_every = 1;      // training steps at least between tests while training
};

// An agent's fields that concern the inner loop.
struct LoopConfig {
  explicit LoopConfig(const Fields& f);
  std::int64_t train_episodes, test_episodes, init_episodes, max_env_steps, stop_window;
  std::int64_t action_repeat;
  double plateau_tolerance;
  bool terminal_truncation;
};

enum class StopReason { kPlateau, kSolved, kTrainEpisodes, kMaxEnvSteps, kDiverged };

struct Result {
  std::vector<double> test_returns, episode_returns;
  std::vector<std::int64_t> episode_lengths;
  std::vector<double> curve_returns;  // of the tests while training
  std::vector<std::int64_t> curve_steps;  // training steps before each
  std::int64_t test_env_steps = 0;
  StopReason stop_reason = StopReason::kTrainEpisodes;
};

}  // namespace se_hpo
