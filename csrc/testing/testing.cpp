#include "testing.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <atomic>

#include "../agents/double_q.hpp"
#include "../convert.hpp"
#include "../envs/environment.hpp"

namespace py = pybind11;

namespace se_hpo {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

const std::atomic<bool> kGoOn{false};

Floats to_array(const Buffer& buffer) { return Floats(buffer.size(), buffer.data()); }

std::unique_ptr<DoubleQAgent> make_agent(const py::dict& config, int obs_size, int n_actions,
                                         const std::string& isa) {
  const Fields c = fields_from(config);
  auto agent = agents().at(c.text("algorithm")).make(
      {kernels_named(isa), c, obs_size, n_actions, std::uint64_t(0), kGoOn});
  if (!dynamic_cast<DoubleQAgent*>(agent.get())) throw std::invalid_argument("no Q-learner");
  return std::unique_ptr<DoubleQAgent>(static_cast<DoubleQAgent*>(agent.release()));
}

void load(Buffer& buffer, const Floats& values) {
  if (std::size_t(values.size()) != buffer.size())
    throw std::invalid_argument("expected " + std::to_string(buffer.size()) + " parameters");
  std::copy(values.data(), values.data() + values.size(), buffer.data());
}

// Updates on the batches of `states` (n x batch x obs), in order, `terminal` without passes for
// next states. Returns the online and target parameters after the last one, whether all were
// finite, and the last gradient.
py::tuple run_updates(const py::dict& config, int n_actions, const Floats& online,
                      const Floats& target, const Floats& states, const Floats& actions,
                      const Floats& next_states, const Floats& rewards, const Floats& dones,
                      const std::string& isa, bool terminal) {
  const int n = int(states.shape(0)), batch_size = int(states.shape(1));
  const int obs_size = int(states.shape(2));
  const auto agent = make_agent(config, obs_size, n_actions, isa);
  load(agent->online(), online);
  load(agent->target(), target);
  Batch batch(kernels_named(isa), batch_size, obs_size);
  Replay replay(batch_size, obs_size);
  bool finite = true;
  for (int i = 0; i < n; ++i) {
    for (int b = 0; b < batch_size; ++b)
      replay.add(states.data(i, b, 0), int(*actions.data(i, b)), next_states.data(i, b, 0),
                 *rewards.data(i, b), *dones.data(i, b));
    replay.first(batch);
    finite = agent->update(batch, terminal) && finite;
  }
  return py::make_tuple(to_array(agent->online()), to_array(agent->target()), finite,
                        to_array(agent->gradient()));
}

Floats q_values(const py::dict& config, int n_actions, const Floats& online, const Floats& obs,
                const std::string& isa) {
  const auto agent = make_agent(config, int(obs.size()), n_actions, isa);
  load(agent->online(), online);
  const std::vector<float> q = agent->q_values(obs.data());
  return Floats(q.size(), q.data());
}

// The parameters that an agent starts with.
Floats initial_parameters(const py::dict& config, int obs_size, int n_actions,
                          std::uint64_t seed, const std::string& isa) {
  const Fields c = fields_from(config);
  auto agent = agents().at(c.text("algorithm")).make(
      {kernels_named(isa), c, obs_size, n_actions, seed, kGoOn});
  return to_array(dynamic_cast<DoubleQAgent&>(*agent).online());
}

// Starts every episode in the given state.
class FixedStart final : public Environment {
 public:
  explicit FixedStart(std::vector<float> state) : state_(std::move(state)) {}
  void reset(float* obs) override { std::copy(state_.begin(), state_.end(), obs); }
  Step step(Action, float*) override { return {}; }

 private:
  std::vector<float> state_;
};

// One step of a learned environment from a state: (next state, reward, done, ended).
py::tuple learned_step(const py::dict& config, const std::vector<std::pair<int, int>>& nets,
                       const Floats& psi, int n_actions, const Floats& state, int action,
                       const std::string& isa) {
  const int obs_size = int(state.size());
  Learned learned{fields_from(config), {}, {psi.data(), psi.data() + psi.size()}};
  for (const auto& [inputs, outputs] : nets) learned.nets.push_back({inputs, outputs});
  std::vector<float> obs(state.data(), state.data() + obs_size);
  const TaskSpec spec{1000, 0, 0, obs_size, n_actions, {}};
  const auto env = learned_environments().at(learned.config.text("kind"))(
      kernels_named(isa), learned, spec, std::make_unique<FixedStart>(obs),
      Random(0, Role::kLearned));
  env->reset(obs.data());
  const Step step = env->step(action, obs.data());
  return py::make_tuple(Floats(obs_size, obs.data()), step.reward, step.done, step.ended);
}

// A learned environment around a native task that can be put anywhere.
class LearnedHandle {
 public:
  LearnedHandle(const std::string& task, const py::dict& fields, const py::dict& config,
                const std::vector<std::pair<int, int>>& nets, const Floats& psi,
                int obs_size, int n_actions, bool discrete_obs, const std::string& isa,
                bool continuous)
      : obs_(obs_size) {
    Learned learned{fields_from(config), {}, {psi.data(), psi.data() + psi.size()}};
    for (const auto& [inputs, outputs] : nets) learned.nets.push_back({inputs, outputs});
    const TaskSpec spec{1000, 0, 0, obs_size, n_actions, {}, continuous, discrete_obs};
    auto made = native_tasks().at(task).make(Random(0, Role::kEnv), fields_from(fields));
    task_ = made.get();
    env_ = learned_environments().at(learned.config.text("kind"))(
        kernels_named(isa), learned, spec, std::move(made), Random(0, Role::kLearned));
  }
  Floats reset() {
    env_->reset(obs_.data());
    return Floats(obs_.size(), obs_.data());
  }
  py::tuple step(int action) { return answer(env_->step(action, obs_.data())); }
  py::tuple step_continuous(const Floats& action) {
    return answer(env_->step(Action(action.data()), obs_.data()));
  }
  std::vector<double> state() const { return task_->state; }

 private:
  py::tuple answer(const Step& step) const {
    return py::make_tuple(Floats(obs_.size(), obs_.data()), step.reward, step.ended);
  }

  NativeTask* task_;
  std::unique_ptr<Environment> env_;
  std::vector<float> obs_;
};

Floats activate(const std::string& name, const Floats& x, const std::string& isa) {
  Buffer buffer(x.size());
  std::copy(x.data(), x.data() + x.size(), buffer.data());
  kernels_named(isa).activate(buffer.data(), buffer.padded_size(), activation_named(name),
                              kPreluSlope);
  return to_array(buffer);
}

class TaskHandle {
 public:
  // Scaled, where there are bounds.
  TaskHandle(const std::string& name, std::uint64_t seed, const Bounds& bounds)
      : entry_(native_tasks().at(name)) {
    auto made = entry_.make(Random(seed, Role::kEnv), Fields{});
    task_ = made.get();
    env_ = std::move(made);
    if (!bounds.empty()) env_ = scale_observations(std::move(env_), bounds);
  }
  Floats reset() {
    env_->reset(obs_.data());
    return Floats(entry_.obs_size, obs_.data());
  }
  // The number of an action, or its numbers.
  py::tuple step(const py::object& action) {
    if (py::isinstance<py::int_>(action)) return step(Action(action.cast<int>()));
    return step(Action(action.cast<Floats>().data()));
  }
  std::vector<double> state() const { return task_->state; }
  void set_state(const std::vector<double>& state) { task_->state = state; }

 private:
  py::tuple step(Action action) {
    const Step step = env_->step(action, obs_.data());
    return py::make_tuple(Floats(entry_.obs_size, obs_.data()), step.reward, step.ended);
  }

  NativeTaskEntry entry_;
  NativeTask* task_;
  std::unique_ptr<Environment> env_;
  std::vector<float> obs_ = std::vector<float>(entry_.obs_size);
};

}  // namespace

void bind_testing(py::module_& m) {
  m.def("run_updates", &run_updates, py::arg(), py::arg(), py::arg(), py::arg(), py::arg(),
        py::arg(), py::arg(), py::arg(), py::arg(), py::arg(), py::arg("terminal") = false);
  m.def("q_values", &q_values);
  m.def("initial_parameters", &initial_parameters);
  m.def("learned_step", &learned_step);
  m.def("activate", &activate);
  py::class_<LearnedHandle>(m, "LearnedTask")
      .def(py::init<const std::string&, const py::dict&, const py::dict&,
                    const std::vector<std::pair<int, int>>&, const Floats&, int, int, bool,
                    const std::string&, bool>())
      .def("reset", &LearnedHandle::reset)
      .def("step", &LearnedHandle::step)
      .def("step_continuous", &LearnedHandle::step_continuous)
      .def_property_readonly("state", &LearnedHandle::state);
  py::class_<TaskHandle>(m, "NativeTask")
      .def(py::init<const std::string&, std::uint64_t, const Bounds&>(), py::arg("name"),
           py::arg("seed"), py::arg("bounds") = Bounds{})
      .def("reset", &TaskHandle::reset)
      .def("step", py::overload_cast<const py::object&>(&TaskHandle::step))
      .def_property("state", &TaskHandle::state, &TaskHandle::set_state);
}

}  // namespace se_hpo
