// What the inner loop needs of an agent.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "../action.hpp"
#include "../job.hpp"

namespace se_hpo {

// Where a training of a fixed number of steps stands.
struct Progress {
  std::int64_t step, total, learn_from;
};

class Agent {
 public:
  virtual ~Agent() = default;
  virtual void begin_episode(std::int64_t episode) = 0;
  // Before step `step` of `total` of a training with a schedule: explore as much as then.
  virtual void at_step(const Progress&) {}
  // The action to take in training; none that is finite if the agent's values are not.
  virtual Action explore(const float* obs) = 0;
  // The action to take in a test, likewise.
  virtual Action exploit(const float* obs) = 0;
  virtual void store(const float* state, Action action, const float* next_state, float reward,
                     float done) = 0;
  // After the last step of an episode, learned from already; false as from `learn`.
  virtual bool end_episode(bool /*truncated*/) { return true; }
  // One gradient update; false if it was not finite.
  virtual bool learn() = 0;
  // The same where all that was stored ended its episode: values of next states count for
  // nothing, and need not be known.
  virtual bool learn_terminal() { return learn(); }
};

struct AgentContext {
  const Kernels& kernels;
  const Fields& config;
  int obs_size, n_actions;
  std::uint64_t seed;
  const std::atomic<bool>& stop;  // end early: the result will be thrown away
  bool continuous = false;        // n_actions numbers per action
  bool discrete_obs = false;      // observations are one-hot
};

// What the engine knows of an agent: how it is made of its configuration, and its size.
struct AgentEntry {
  std::unique_ptr<Agent> (*make)(const AgentContext& context);
  // Multiply-adds of one update.
  double (*cost)(const Fields& config, int obs_size, int n_actions);
  // Floats that it works with, replay buffer aside; raises std::invalid_argument for a
  // field that is too large.
  double (*memory)(const Fields& config, int obs_size, int n_actions);
};

// All agents by algorithm; a new one adds one line to registry.cpp.
const std::map<std::string, AgentEntry>& agents();

}  // namespace se_hpo
