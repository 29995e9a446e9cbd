// The synthetic environment with learned initial states, in its general form (Liesen et al.
// 2024): nets for the initial state, the change of the state, reward, and done of the next state.
#include <utility>

#include "learned_start.hpp"

namespace se_hpo {
namespace {

class LearnedStartEnv final : public Environment {
 public:
  LearnedStartEnv(const Kernels& kernels, const Learned& learned, const TaskSpec& spec,
                  Random random, const float* psi)
      : max_steps_(learned.config.integer("max_steps")),
        start_(kernels, learned, spec.obs_size, random, psi),
        change_(kernels, learned, 1, spec, psi),
        reward_(kernels, learned, 2, spec, psi),
        done_(kernels, learned.config, learned.nets[3], 0, psi),
        state_(spec.obs_size),
        delta_(spec.obs_size) {}

  void reset(float* obs) override {
    steps_ = 0;
    start_(state_.data());
    std::copy(state_.begin(), state_.end(), obs);
  }

  Step step(Action action, float* obs) override {
    float reward, done;
    change_(action, state_.data(), delta_.data());
    reward_(action, state_.data(), &reward);
    for (std::size_t i = 0; i < state_.size(); ++i) state_[i] += delta_[i];
    done_(0, state_.data(), &done);
    std::copy(state_.begin(), state_.end(), obs);
    const bool ended = done > 0.5f;
    return {reward, is_finite(done) ? float(ended) : done, ended, ++steps_ >= max_steps_};
  }

  std::optional<StopReason> stop_reason(const Result& so_far, const LoopConfig& config,
                                        const TaskSpec&) const override {
    return stop_on_plateau(so_far.episode_returns, config);
  }

 private:
  const std::int64_t max_steps_;
  std::int64_t steps_ = 0;
  LearnedStart start_;
  ActionNet change_, reward_;
  SingleMlp done_;
  std::vector<float> state_, delta_;
};

}  // namespace

std::unique_ptr<Environment> make_learned_start(const Kernels& kernels, const Learned& learned,
                                                const TaskSpec& spec,
                                                std::unique_ptr<Environment>, Random random) {
  return std::make_unique<LearnedStartEnv>(kernels, learned, spec, random, learned.psi.data());
}

}  // namespace se_hpo
