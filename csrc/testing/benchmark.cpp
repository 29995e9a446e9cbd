#include "testing.hpp"

#include <pybind11/stl.h>

#include <atomic>
#include <ctime>
#include <vector>

#include "../agents/agent.hpp"
#include "../convert.hpp"
#include "../envs/environment.hpp"
#include "../pool.hpp"
#include "../random.hpp"

namespace py = pybind11;

namespace se_hpo {
namespace {

// Processor time of this thread: other processes on the machine do not count.
double seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

// Floating point operations per second of independent multiply-adds.
double peak_flops(long rounds, const std::string& isa) {
  const Kernels& kernels = kernels_named(isa);
  const py::gil_scoped_release release;
  float sink = 0;
  const double start = seconds();
  const double operations = kernels.peak(rounds, &sink);
  return operations / (seconds() - start);
}

// Seconds per update (replay included) of an agent with a full buffer of random
// transitions; `n` updates.
double time_updates(const py::dict& config, int obs_size, int n_actions, int n,
                    const std::string& isa) {
  const Fields c = fields_from(config);
  const std::atomic<bool> stop{false};
  const auto agent = agents().at(c.text("algorithm")).make(
      {kernels_named(isa), c, obs_size, n_actions, std::uint64_t(1), stop});
  const py::gil_scoped_release release;
  const FlushDenormals flush;
  Random random(2, Role::kEnv);
  std::vector<float> state(obs_size), next(obs_size);
  for (int i = 0; i < 5000; ++i) {
    for (int k = 0; k < obs_size; ++k) {
      state[k] = float(random.uniform(-1, 1));
      next[k] = float(random.uniform(-1, 1));
    }
    agent->store(state.data(), agent->explore(state.data()), next.data(), 1.0f, 0.1f);
  }
  for (int i = 0; i < n / 10 + 1; ++i) agent->learn();
  const double start = seconds();
  for (int i = 0; i < n; ++i) agent->learn();
  return (seconds() - start) / n;
}

// Seconds per step of a native task alone, with random actions.
double time_steps(const std::string& name, int n) {
  const NativeTaskEntry entry = native_tasks().at(name);
  const py::gil_scoped_release release;
  Random random(3, Role::kExploration);
  const auto task = entry.make(Random(4, Role::kEnv), Fields{});
  std::vector<float> obs(entry.obs_size);
  task->reset(obs.data());
  const double start = seconds();
  for (int i = 0; i < n; ++i)
    if (task->step(int(random.below(entry.n_actions)), obs.data()).ended)
      task->reset(obs.data());
  return (seconds() - start) / n;
}

}  // namespace

void bind_benchmark(py::module_& m) {
  m.def("peak_flops", &peak_flops);
  m.def("time_updates", &time_updates);
  m.def("time_steps", &time_steps);
}

}  // namespace se_hpo
