// What agents train and test on.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../action.hpp"
#include "../job.hpp"

namespace se_hpo {

struct Step {
  double reward;
  float done;      // 1 for a termination; an SE's raw output
  bool ended;      // terminated
  bool truncated;  // cut by the environment's own limit (Python tasks)
  int steps = 1;   // of the task: more where an action is repeated
};

class Environment {
 public:
  virtual ~Environment() = default;
  // Writes the first observation of a new episode.
  virtual void reset(float* obs) = 0;
  // Writes the next observation.
  virtual Step step(Action action, float* obs) = 0;
  // Whether every episode is one step long.
  virtual bool one_step() const { return false; }
  // What the replay buffer stores as done: (1 - done) multiplies the bootstrapped value.
  // On a task 1 for a termination; a truncation is none, unless the configuration says so.
  virtual float stored_done(const Step& step, bool truncated, const LoopConfig& config) const;
  // Why to stop after so many episodes, if at all; on a task where it is solved, by the
  // tests while training where there are such.
  virtual std::optional<StopReason> stop_reason(const Result& so_far,
                                                const LoopConfig& config,
                                                const TaskSpec& spec) const;
};

// When the mean return of the last k episodes differs little from that of the k before.
std::optional<StopReason> stop_on_plateau(const std::vector<double>& returns,
                                          const LoopConfig& config);

// A task written in C++: Gymnasium's dynamics in double precision, observations in float.
class NativeTask : public Environment {
 public:
  explicit NativeTask(Random random) : random_(random) {}
  void reset(float* obs) final {
    draw_state();
    observe(obs);
  }
  // The dynamics' state, for tests.
  std::vector<double> state;
  virtual void observe(float* obs) const = 0;

 protected:
  virtual void draw_state() = 0;
  Random random_;
};

struct NativeTaskEntry {
  int obs_size, n_actions;
  std::unique_ptr<NativeTask> (*make)(Random random, const Fields& fields);
};

// Holds each action for `repeat` steps of a task, or to the end of an episode.
std::unique_ptr<Environment> repeat_actions(std::unique_ptr<Environment> task, int repeat,
                                            std::int64_t max_steps);

// Maps each number of the observations affinely, so that its bounds become -1 and 1; as
// se_hpo/envs/scaling.py, in double precision.
using Bounds = std::vector<std::pair<double, double>>;
std::unique_ptr<Environment> scale_observations(std::unique_ptr<Environment> task,
                                                Bounds bounds);

// All native tasks by name; a new one adds one line to registry.cpp.
const std::map<std::string, NativeTaskEntry>& native_tasks();

// Makes a learned environment beside an environment of its task; `random` is for what it
// draws itself.
using LearnedMaker = std::unique_ptr<Environment> (*)(const Kernels& kernels,
                                                      const Learned& learned,
                                                      const TaskSpec& spec,
                                                      std::unique_ptr<Environment> task,
                                                      Random random);

// All learned environments by kind; a new one adds one line to registry.cpp.
const std::map<std::string, LearnedMaker>& learned_environments();

inline bool is_finite(float x) {
  // On the bit pattern, which no optimization level can take away.
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7F800000u) != 0x7F800000u;
}

}  // namespace se_hpo
