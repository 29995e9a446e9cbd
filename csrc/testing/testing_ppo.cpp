// Entry points for the tests of PPO: the agent itself.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "../agents/ppo.hpp"
#include "../convert.hpp"
#include "testing.hpp"

namespace py = pybind11;

namespace se_hpo {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

const std::atomic<bool> kGoOn{false};

Floats to_array(const Buffer& buffer) { return Floats(buffer.size(), buffer.data()); }

class PPOHandle {
 public:
  PPOHandle(const py::dict& config, int obs_size, int n_actions, bool continuous,
            std::uint64_t seed, const std::string& isa)
      : n_actions_(n_actions),
        continuous_(continuous),
        fields_(fields_from(config)),
        agent_({kernels_named(isa), fields_, obs_size, n_actions, seed, kGoOn, continuous}) {}

  Floats parameters() { return to_array(agent_.parameters()); }
  void set_parameters(const Floats& values) {
    if (std::size_t(values.size()) != agent_.parameters().size())
      throw std::invalid_argument("wrong number of parameters");
    std::copy(values.data(), values.data() + values.size(), agent_.parameters().data());
  }
  Floats gradient() const { return to_array(agent_.gradient()); }

  // Learns from the given steps, of which `last` ended their episodes, in the given orders;
  // `terminal` without values of next states.
  bool learn_from(const Floats& state, const Floats& action, const Floats& reward,
                  const Floats& next_state, const Floats& done, const std::vector<bool>& last,
                  const PPOAgent::Orders& orders, bool terminal) {
    const std::size_t action_size = continuous_ ? n_actions_ : 1;
    for (std::size_t t = 0; t < last.size(); ++t) {
      agent_.rollout().add(state.data(t, 0), action.data() + t * action_size,
                           next_state.data(t, 0), *reward.data(t), *done.data(t));
      if (last[t]) agent_.rollout().end_episode();
    }
    return agent_.update(orders, terminal);
  }

  void begin_episode(std::int64_t episode) { agent_.begin_episode(episode); }
  // The action (an index, numbers, or none where it is not finite) and the raw sample.
  py::tuple explore(const Floats& obs) {
    const py::object action = to_object(agent_.explore(obs.data()));
    return py::make_tuple(action, agent_.raw());
  }
  py::object exploit(const Floats& obs) { return to_object(agent_.exploit(obs.data())); }
  // A step in `state` that is rewarded with 1 and leads nowhere; false if it diverged.
  bool step(const Floats& state, bool end) {
    const Action action = agent_.explore(state.data());
    if (!action.finite()) return false;
    agent_.store(state.data(), action, state.data(), 1, 0);
    return agent_.learn() && (!end || agent_.end_episode(true));
  }
  std::int64_t steps() { return agent_.rollout().size(); }

 private:
  py::object to_object(Action action) const {
    if (!action.finite()) return py::none();
    if (!continuous_) return py::int_(action.index);
    return Floats(n_actions_, action.values);
  }

  const int n_actions_;
  const bool continuous_;
  const Fields fields_;
  PPOAgent agent_;
};

}  // namespace

void bind_testing_ppo(py::module_& m) {
  py::class_<PPOHandle>(m, "PPO")
      .def(py::init<const py::dict&, int, int, bool, std::uint64_t, const std::string&>())
      .def_property("parameters", &PPOHandle::parameters, &PPOHandle::set_parameters)
      .def_property_readonly("gradient", &PPOHandle::gradient)
      .def_property_readonly("steps", &PPOHandle::steps)
      .def("learn_from", &PPOHandle::learn_from, py::arg(), py::arg(), py::arg(), py::arg(),
           py::arg(), py::arg(), py::arg(), py::arg("terminal") = false)
      .def("begin_episode", &PPOHandle::begin_episode)
      .def("explore", &PPOHandle::explore)
      .def("exploit", &PPOHandle::exploit)
      .def("step", &PPOHandle::step);
}

}  // namespace se_hpo
