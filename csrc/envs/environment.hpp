// What agents train and test on.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../random.hpp"

namespace se_hpo {

struct Step {
  double reward;
  float done;      // 1 for a termination; an SE's raw output
  bool ended;      // terminated
  bool truncated;  // cut by the environment's own limit (Python tasks)
};

class Environment {
 public:
  virtual ~Environment() = default;
  // Writes the first observation of a new episode.
  virtual void reset(float* obs) = 0;
  // Writes the next observation.
  virtual Step step(int action, float* obs) = 0;
};

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
  std::unique_ptr<NativeTask> (*make)(Random random);
};

// All native tasks by name; a new one adds one line to registry.cpp.
const std::map<std::string, NativeTaskEntry>& native_tasks();

inline bool is_finite(float x) {
  // On the bit pattern, which no optimization level can take away.
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7F800000u) != 0x7F800000u;
}

}  // namespace se_hpo
