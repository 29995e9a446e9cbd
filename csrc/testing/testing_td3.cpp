// Entry points for the tests of both TD3s: the agents themselves, and their noise.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "../agents/td3.hpp"
#include "../agents/td3_discrete.hpp"
#include "../convert.hpp"
#include "testing.hpp"

namespace py = pybind11;

namespace se_hpo {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

const std::atomic<bool> kGoOn{false};

Floats to_array(const Buffer& buffer) { return Floats(buffer.size(), buffer.data()); }

void load(Buffer& buffer, const Floats& values) {
  if (std::size_t(values.size()) != buffer.size())
    throw std::invalid_argument("expected " + std::to_string(buffer.size()) + " parameters");
  std::copy(values.data(), values.data() + values.size(), buffer.data());
}

template <typename T>
class Handle {
 public:
  Handle(const py::dict& config, int obs_size, int n_actions, std::uint64_t seed,
         const std::string& isa)
      : kernels_(kernels_named(isa)),
        fields_(fields_from(config)),
        batch_size_(fields_.size("batch_size", 1 << 20)),
        layout_(obs_size, n_actions),
        agent_({kernels_, fields_, obs_size, n_actions, seed, kGoOn}),
        batch_(kernels_, batch_size_, layout_) {}

  TwinDelayedAgent::Learner& learner(const std::string& name) {
    return name == "actor" ? agent_.actor() : agent_.critics();
  }
  void set(const std::string& name, const Floats& online, const Floats& target) {
    load(learner(name).online, online);
    load(learner(name).target, target);
  }
  py::tuple get(const std::string& name) {
    const TwinDelayedAgent::Learner& l = learner(name);
    return py::make_tuple(to_array(l.online), to_array(l.target), to_array(l.gradient));
  }

  // Arrays of batch rows, then the noise; whether the update was finite.
  bool update(const Floats& state, const Floats& action, const Floats& next_state,
              const Floats& reward, const Floats& done, const py::args& noise) {
    Replay replay(batch_size_, layout_);
    for (int b = 0; b < batch_size_; ++b)
      replay.add(state.data(b, 0), action.data(b, 0), next_state.data(b, 0), *reward.data(b),
                 *done.data(b));
    replay.first(batch_);
    const std::vector<Buffer*> panels = agent_.noise();
    for (std::size_t i = 0; i < panels.size(); ++i)
      to_panels(noise[i].cast<Floats>(), *panels[i]);
    return terminal_ ? agent_.update_terminal(batch_) : agent_.update(batch_);
  }
  // The same without passes for next states.
  bool update_terminal(const Floats& state, const Floats& action, const Floats& next_state,
                       const Floats& reward, const Floats& done, const py::args& noise) {
    terminal_ = true;
    const bool finite = update(state, action, next_state, reward, done, noise);
    terminal_ = false;
    return finite;
  }

  void begin_episode(std::int64_t episode) { agent_.begin_episode(episode); }
  Action explore(const Floats& obs) { return agent_.explore(obs.data()); }
  Action exploit(const Floats& obs) { return agent_.exploit(obs.data()); }
  const T& agent() const { return agent_; }
  py::object numbers(Action action) const {
    if (!action.finite()) return py::none();
    return Floats(layout_.action_size, action.values);
  }

 private:
  void to_panels(const Floats& rows, Buffer& panels) const {
    float* out = panels.data();
    int sample = 0;
    for (const TransitionPanel& panel : batch_.panels()) {
      const int n = panel.vectors * kernels_.width;
      for (int a = 0; a < layout_.action_size; ++a)
        for (int c = 0; c < n; ++c)
          *out++ = sample + c < batch_size_ ? *rows.data(sample + c, a) : 0.0f;
      sample += n;
    }
  }

  const Kernels& kernels_;
  const Fields fields_;
  const int batch_size_;
  const TransitionLayout layout_;
  T agent_;
  Batch batch_;
  bool terminal_ = false;
};

// Noise of the given kind in the place of uniform numbers.
Floats noise(const std::string& kind, const Floats& uniform, const std::string& isa) {
  Buffer buffer(uniform.size());
  std::copy(uniform.data(), uniform.data() + uniform.size(), buffer.data());
  const Kernels& kernels = kernels_named(isa);
  (kind == "gumbel" ? kernels.gumbel_noise : kernels.normal_noise)(buffer.data(), buffer.size());
  return to_array(buffer);
}

Floats uniform(std::size_t n, std::uint64_t seed) {
  Buffer buffer(n);
  Random(seed, Role::kUpdate).uniform(buffer.data(), n);
  return to_array(buffer);
}

template <typename T>
py::class_<Handle<T>> bind(py::module_& m, const char* name) {
  using H = Handle<T>;
  return py::class_<H>(m, name)
      .def(py::init<const py::dict&, int, int, std::uint64_t, const std::string&>())
      .def("set", &H::set)
      .def("get", &H::get)
      .def("update", &H::update)
      .def("update_terminal", &H::update_terminal)
      .def("begin_episode", &H::begin_episode);
}

}  // namespace

void bind_testing_td3(py::module_& m) {
  m.def("noise", &noise);
  m.def("uniform", &uniform);
  using Discrete = Handle<TD3DiscreteAgent>;
  bind<TD3DiscreteAgent>(m, "TD3Discrete")
      .def("explore",
           [](Discrete& h, const Floats& obs) {
             const int action = h.explore(obs).index;
             return py::make_tuple(action, h.agent().action_vector());
           })
      .def("exploit", [](Discrete& h, const Floats& obs) { return h.exploit(obs).index; });
  // None where the action is not finite.
  using Continuous = Handle<TD3Agent>;
  bind<TD3Agent>(m, "TD3")
      .def("explore",
           [](Continuous& h, const Floats& obs) { return h.numbers(h.explore(obs)); })
      .def("exploit",
           [](Continuous& h, const Floats& obs) { return h.numbers(h.exploit(obs)); });
}

}  // namespace se_hpo
