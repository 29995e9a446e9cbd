// The one-step synthetic environment (Liesen et al. 2024): a learned initial state, and a
// reward for the one action taken there.
#include <utility>

#include "learned_start.hpp"

namespace se_hpo {
namespace {

class OneStep final : public Environment {
 public:
  OneStep(const Kernels& kernels, const Learned& learned, const TaskSpec& spec, Random random,
          const float* psi)
      : start_(kernels, learned, spec.obs_size, random, psi),
        reward_(kernels, learned, 1, spec, psi),
        state_(spec.obs_size) {}

  void reset(float* obs) override {
    start_(state_.data());
    std::copy(state_.begin(), state_.end(), obs);
  }

  Step step(Action action, float* obs) override {
    float reward;
    reward_(action, state_.data(), &reward);
    std::copy(state_.begin(), state_.end(), obs);
    return {reward, 1.0f, true, false};
  }

  bool one_step() const override { return true; }

  std::optional<StopReason> stop_reason(const Result&, const LoopConfig&,
                                        const TaskSpec&) const override {
    return std::nullopt;
  }

 private:
  LearnedStart start_;
  ActionNet reward_;
  std::vector<float> state_;
};

}  // namespace

std::unique_ptr<Environment> make_one_step(const Kernels& kernels, const Learned& learned,
                                           const TaskSpec& spec, std::unique_ptr<Environment>,
                                           Random random) {
  return std::make_unique<OneStep>(kernels, learned, spec, random, learned.psi.data());
}

}  // namespace se_hpo
