// Entry points for the tests of discrete TD3: the agent itself, and its noise.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

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

class TD3Handle {
 public:
  TD3Handle(const py::dict& config, int obs_size, int n_actions, std::uint64_t seed,
            const std::string& isa)
      : kernels_(kernels_named(isa)),
        fields_(fields_from(config)),
        batch_size_(fields_.size("batch_size", 1 << 20)),
        layout_(obs_size, n_actions),
        agent_({kernels_, fields_, obs_size, n_actions, seed, kGoOn}),
        batch_(kernels_, batch_size_, layout_),
        noise_(agent_.make_noise(batch_)) {}

  TD3DiscreteAgent::Learner& learner(const std::string& name) {
    return name == "actor" ? agent_.actor() : agent_.critics();
  }
  void set(const std::string& name, const Floats& online, const Floats& target) {
    load(learner(name).online, online);
    load(learner(name).target, target);
  }
  py::tuple get(const std::string& name) {
    const TD3DiscreteAgent::Learner& l = learner(name);
    return py::make_tuple(to_array(l.online), to_array(l.target), to_array(l.gradient));
  }

  // Arrays of batch rows; whether the update was finite.
  bool update(const Floats& state, const Floats& action, const Floats& next_state,
              const Floats& reward, const Floats& done, const Floats& target_gumbel,
              const Floats& target_normal, const Floats& actor_gumbel) {
    Replay replay(batch_size_, layout_);
    for (int b = 0; b < batch_size_; ++b)
      replay.add(state.data(b, 0), action.data(b, 0), next_state.data(b, 0), *reward.data(b),
                 *done.data(b));
    replay.first(batch_);
    to_panels(target_gumbel, noise_.target_gumbel);
    to_panels(target_normal, noise_.target_normal);
    to_panels(actor_gumbel, noise_.actor_gumbel);
    return agent_.update(batch_, noise_);
  }

  void begin_episode(std::int64_t episode) { agent_.begin_episode(episode); }
  py::tuple explore(const Floats& obs) {
    const int action = agent_.explore(obs.data()).index;
    return py::make_tuple(action, agent_.action_vector());
  }
  int exploit(const Floats& obs) { return agent_.exploit(obs.data()).index; }

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
  TD3DiscreteAgent agent_;
  Batch batch_;
  UpdateNoise noise_;
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

}  // namespace

void bind_testing_td3(py::module_& m) {
  m.def("noise", &noise);
  m.def("uniform", &uniform);
  py::class_<TD3Handle>(m, "TD3Discrete")
      .def(py::init<const py::dict&, int, int, std::uint64_t, const std::string&>())
      .def("set", &TD3Handle::set)
      .def("get", &TD3Handle::get)
      .def("update", &TD3Handle::update)
      .def("begin_episode", &TD3Handle::begin_episode)
      .def("explore", &TD3Handle::explore)
      .def("exploit", &TD3Handle::exploit);
}

}  // namespace se_hpo
