// Tabular agents and gridworlds, call by call.
#include <pybind11/numpy.h>

#include <algorithm>
#include <atomic>

#include "../agents/q_learning.hpp"
#include "../convert.hpp"
#include "../envs/environment.hpp"
#include "testing.hpp"

namespace py = pybind11;

namespace se_hpo {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

const std::atomic<bool> kGoOn{false};

class TabularHandle {
 public:
  TabularHandle(const py::dict& config, int obs_size, int n_actions, std::uint64_t seed,
                const std::string& isa)
      : fields_(fields_from(config)), obs_size_(obs_size), n_actions_(n_actions) {
    agent_ = agents().at(fields_.text("algorithm")).make(
        {kernels_named(isa), fields_, obs_size, n_actions, seed, kGoOn});
    if (!dynamic_cast<QLearning*>(agent_.get())) throw std::invalid_argument("no table");
  }
  void start_episode(std::int64_t episode) { agent_->begin_episode(episode); }
  int act(const Floats& obs) { return agent_->explore(obs.data()).index; }
  int act_greedily(const Floats& obs) { return agent_->exploit(obs.data()).index; }
  void remember(const Floats& state, int action, float reward, const Floats& next_state,
                float done) {
    agent_->store(state.data(), action, next_state.data(), reward, done);
  }
  bool update() { return agent_->learn(); }
  py::array_t<double> q() const {
    py::array_t<double> table({obs_size_, n_actions_});
    const std::vector<double>& values = static_cast<QLearning&>(*agent_).table();
    std::copy(values.begin(), values.end(), table.mutable_data());
    return table;
  }

 private:
  Fields fields_;
  int obs_size_, n_actions_;
  std::unique_ptr<Agent> agent_;
};

// Walks from the start of a gridworld, starting again after an end: (cell, reward, ended)
// of each action.
py::tuple walk(const py::dict& fields, int n_cells, const py::array_t<int>& actions) {
  const auto task = native_tasks().at("gridworld").make(Random(0, Role::kEnv),
                                                        fields_from(fields));
  const py::ssize_t n = actions.size();
  py::array_t<int> cells(n);
  py::array_t<double> rewards(n);
  py::array_t<bool> ends(n);
  std::vector<float> obs(n_cells);
  task->reset(obs.data());
  for (py::ssize_t i = 0; i < n; ++i) {
    const Step step = task->step(actions.at(i), obs.data());
    cells.mutable_at(i) = int(std::max_element(obs.begin(), obs.end()) - obs.begin());
    rewards.mutable_at(i) = step.reward;
    ends.mutable_at(i) = step.ended;
    if (step.ended) task->reset(obs.data());
  }
  return py::make_tuple(cells, rewards, ends);
}

}  // namespace

void bind_testing_tabular(py::module_& m) {
  m.def("walk", &walk);
  py::class_<TabularHandle>(m, "TabularAgent")
      .def(py::init<const py::dict&, int, int, std::uint64_t, const std::string&>())
      .def("start_episode", &TabularHandle::start_episode)
      .def("act", &TabularHandle::act)
      .def("act_greedily", &TabularHandle::act_greedily)
      .def("remember", &TabularHandle::remember)
      .def("update", &TabularHandle::update)
      .def_property_readonly("q", &TabularHandle::q);
}

}  // namespace se_hpo
