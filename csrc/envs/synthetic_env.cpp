// The paper's synthetic environment: nets for next state, reward and done.
#include <algorithm>
#include <utility>

#include "environment.hpp"
#include "single_mlp.hpp"

namespace se_hpo {
namespace {

class SyntheticEnv final : public Environment {
 public:
  SyntheticEnv(const Kernels& kernels, const Learned& learned, const TaskSpec& spec,
               std::unique_ptr<Environment> task)
      : task_(std::move(task)), state_(spec.obs_size), next_(spec.obs_size) {
    const float* psi = learned.psi.data();
    for (const Net& net : learned.nets)
      nets_.emplace_back(kernels, learned.config, net, spec.n_actions, psi);
  }

  // Initial states are the task's.
  void reset(float* obs) override {
    task_->reset(obs);
    std::copy(obs, obs + state_.size(), state_.data());
  }

  Step step(Action action, float* obs) override {
    float reward, done;
    nets_[0](action.index, state_.data(), next_.data());
    nets_[1](action.index, state_.data(), &reward);
    nets_[2](action.index, state_.data(), &done);
    std::swap(state_, next_);
    std::copy(state_.data(), state_.data() + state_.size(), obs);
    return {reward, done, done > 0.5f, false};
  }

  // The crux: the raw output of the done net, whatever it is and also at the step limit,
  // so that 1 - done may weigh the bootstrapped value with any number.
  float stored_done(const Step& step, bool, const LoopConfig&) const override {
    return step.done;
  }

  std::optional<StopReason> stop_reason(const Result& so_far, const LoopConfig& config,
                                        const TaskSpec&) const override {
    return stop_on_plateau(so_far.episode_returns, config);
  }

 private:
  std::unique_ptr<Environment> task_;
  std::vector<SingleMlp> nets_;
  Buffer state_, next_;
};

}  // namespace

std::unique_ptr<Environment> make_synthetic_env(const Kernels& kernels, const Learned& learned,
                                                const TaskSpec& spec,
                                                std::unique_ptr<Environment> task, Random) {
  return std::make_unique<SyntheticEnv>(kernels, learned, spec, std::move(task));
}

}  // namespace se_hpo
