// The Python module se_hpo._engine. se_hpo/training/native_engine.py checks all arguments.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "agents/agent.hpp"
#include "convert.hpp"
#include "envs/environment.hpp"
#include "pool.hpp"

namespace py = pybind11;

namespace se_hpo {

// Any Gymnasium task: a Python object with reset() -> observation, step(action) ->
// (observation, reward, terminated, truncated) and close(). The GIL is taken for each
// call; made and destroyed without it, so no reference may be counted outside a Guard.
// Its calls share one Python thread state, so that thread-locals and context variables
// last from one to the next.
class PythonTask final : public Environment {
 public:
  PythonTask(PyObject* factory, int obs_size, int action_size, Random random)
      : obs_size_(obs_size), action_size_(action_size) {
    Guard guard;
    object_ = py::handle(factory)(random.next() >> 1);
    guard.gil.inc_ref();
  }
  ~PythonTask() override {
    Guard guard;
    try {
      object_.attr("close")();
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("closing a task");
    }
    object_ = py::object();
    guard.gil.dec_ref();
  }

  void reset(float* obs) override {
    const Guard guard;
    write(object_.attr("reset")(), obs);
  }

  Step step(Action action, float* obs) override {
    const Guard guard;
    const py::tuple out = object_.attr("step")(to_python(action));
    write(out[0], obs);
    const bool terminated = out[2].cast<bool>();
    return {out[1].cast<double>(), terminated ? 1.0f : 0.0f, terminated, out[3].cast<bool>()};
  }

 private:
  struct Guard {
    FlushDenormals normal{false};  // NumPy warns of flushed denormals
    py::gil_scoped_acquire gil;
  };

  py::object to_python(Action action) const {
    if (!action.values) return py::int_(action.index);
    return py::array_t<float>(action_size_, action.values);
  }

  void write(const py::object& value, float* obs) const {
    using Array = py::array_t<float, py::array::c_style | py::array::forcecast>;
    const Array array(value);
    if (array.size() != obs_size_)
      throw std::runtime_error("the task gave an observation of " +
                               std::to_string(array.size()) + " numbers instead of " +
                               std::to_string(obs_size_));
    std::copy(array.data(), array.data() + obs_size_, obs);
  }

  int obs_size_, action_size_;
  py::object object_;
};

namespace {

TaskSpec task_from(const py::dict& d) {
  TaskSpec task{d["max_steps"].cast<std::int64_t>(), d["solved_return"].cast<double>(),
                d["worst_return"].cast<double>(),    d["obs_size"].cast<int>(),
                d["n_actions"].cast<int>(),          {},
                d["continuous"].cast<bool>(),        d["discrete_obs"].cast<bool>()};
  if (!d["native"].is_none()) {
    const NativeTaskEntry& entry = native_tasks().at(d["native"].cast<std::string>());
    task.make = [make = entry.make, fields = fields_from(d["native_fields"]),
                 scale = d["scale"].cast<Bounds>()](
                    Random random) -> std::unique_ptr<Environment> {
      auto made = make(random, fields);
      if (scale.empty()) return made;
      return scale_observations(std::move(made), scale);
    };
  } else {
    const py::function factory = d["factory"];
    // The function object lives as long as the caller's job list.
    task.make = [pointer = factory.ptr(), obs_size = task.obs_size,
                 action_size = task.n_actions](Random random) {
      return std::make_unique<PythonTask>(pointer, obs_size, action_size, random);
    };
  }
  return task;
}

Learned learned_from(const py::dict& d) {
  Learned learned{fields_from(d["config"]), {}, {}};
  for (const py::handle net : d["nets"]) {
    const auto [inputs, outputs] = net.cast<std::pair<int, int>>();
    learned.nets.push_back({inputs, outputs});
  }
  const auto psi = d["psi"].cast<py::array_t<float, py::array::c_style>>();
  learned.psi.assign(psi.data(), psi.data() + psi.size());
  return learned;
}

Job job_from(const py::dict& d) {
  Job job{task_from(d["task"]), fields_from(d["agent"]), d["seed"].cast<std::uint64_t>(), {},
          d["stop_by_rule"].cast<bool>(), d["test_while_training"].cast<bool>(),
          d["schedule"].cast<std::int64_t>(), d["learn_from"].cast<std::int64_t>()};
  job.max_test_steps = d["max_test_steps"].cast<std::int64_t>();
  job.test_every = d["test_every"].cast<std::int64_t>();
  if (!d["learned"].is_none()) job.learned = learned_from(d["learned"]);
  return job;
}

py::tuple result_to(const Result& result) {
  static const char* const kReasons[] = {"plateau", "solved", "train_episodes", "max_env_steps",
                                         "diverged"};
  const auto array = [](const auto& v) {
    return py::array_t<typename std::decay_t<decltype(v)>::value_type>(v.size(), v.data());
  };
  return py::make_tuple(array(result.test_returns), array(result.episode_returns),
                        array(result.episode_lengths), result.test_env_steps,
                        kReasons[int(result.stop_reason)], array(result.curve_returns),
                        array(result.curve_steps));
}

// `watch`, unless it is None, is told every few milliseconds how many jobs are done; what
// it raises ends them.
py::list train_agents(const py::list& jobs, int n_threads, const std::string& isa,
                      const py::object& watch) {
  std::vector<Job> all;
  for (const py::handle job : jobs) all.push_back(job_from(py::cast<py::dict>(job)));
  const Kernels& kernels = kernels_named(isa);
  std::optional<py::error_already_set> interrupt;
  std::vector<Result> results;
  try {
    const py::gil_scoped_release release;
    results = run_jobs(all, n_threads, kernels, [&](std::size_t done) {
      const py::gil_scoped_acquire gil;
      if (!interrupt && PyErr_CheckSignals() != 0) interrupt.emplace();
      try {
        if (!interrupt && !watch.is_none()) watch(done);
      } catch (const py::error_already_set& raised) {
        interrupt.emplace(raised);
      }
      return !interrupt;
    });
  } catch (...) {  // what a signal handler raised goes before what a job did
    if (!interrupt) throw;
  }
  if (interrupt) throw py::error_already_set(*interrupt);
  py::list out;
  for (const Result& result : results) out.append(result_to(result));
  return out;
}

template <typename Registry>
std::vector<std::string> names(const Registry& registry) {
  std::vector<std::string> names;
  for (const auto& entry : registry) names.push_back(entry.first);
  return names;
}

// What an agent works with, replay buffer aside; ValueError for a field that is too large.
double agent_bytes(const py::dict& agent, int obs_size, int n_actions) {
  const Fields config = fields_from(agent);
  const LoopConfig checked(config);
  const AgentEntry& entry = agents().at(config.text("algorithm"));
  return sizeof(float) * entry.memory(config, obs_size, n_actions);
}

}  // namespace
}  // namespace se_hpo

PYBIND11_MODULE(_engine, m) {
  m.doc() = "Native engine: trains agents in C++; use se_hpo.training.native_engine.";
  m.def("train_agents", &se_hpo::train_agents, py::arg("jobs"), py::arg("n_threads"),
        py::arg("isa"), py::arg("watch") = py::none());
  m.attr("can_be_watched") = true;
  m.def("usable_isas", [] {
    std::vector<std::string> names;
    for (const char* const* name = se_hpo::usable_isas(); *name; ++name) names.push_back(*name);
    return names;
  });
  m.def("algorithms", [] { return se_hpo::names(se_hpo::agents()); });
  m.def("learned_kinds", [] { return se_hpo::names(se_hpo::learned_environments()); });
  m.def("agent_bytes", &se_hpo::agent_bytes);
}
