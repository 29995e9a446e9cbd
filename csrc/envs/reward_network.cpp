// The paper's reward networks: the task's own transitions, a learned reward. Kinds that
// read the step's info are Python's.
#include <algorithm>
#include <utility>

#include "environment.hpp"
#include "single_mlp.hpp"

namespace se_hpo {
namespace {

class RewardNetwork final : public Environment {
 public:
  RewardNetwork(const Kernels& kernels, const Learned& learned, const TaskSpec& spec,
                std::unique_ptr<Environment> task)
      : potential_(kind(learned).find("potential") != std::string::npos),
        additive_(kind(learned).find("additive") == 0),
        zero_terminal_(potential_ && learned.config.text("terminal_potential") == "zero"),
        discount_(learned.config.real("discount")),
        obs_size_(spec.obs_size),
        net_(make_net(kernels, learned)),
        task_(std::move(task)) {
    if (spec.discrete_obs) tabulate();
  }

  void reset(float* obs) override {
    task_->reset(obs);
    if (potential_) previous_ = phi(obs);
  }

  // An episode that is cut goes on for the potential: only a termination may zero it.
  Step step(Action action, float* obs) override {
    Step step = task_->step(action, obs);
    const double value = step.ended && zero_terminal_ ? 0.0 : phi(obs);
    const double reward = potential_ ? discount_ * value - previous_ : value;
    previous_ = value;
    step.reward = additive_ ? step.reward + reward : reward;
    return step;
  }

  // Its own returns say nothing of the task: only tests while training do.
  std::optional<StopReason> stop_reason(const Result& so_far, const LoopConfig& config,
                                        const TaskSpec& spec) const override {
    if (so_far.curve_returns.empty()) return std::nullopt;
    return Environment::stop_reason(so_far, config, spec);
  }

 private:
  static const std::string& kind(const Learned& learned) { return learned.config.text("kind"); }

  static SingleMlp make_net(const Kernels& kernels, const Learned& learned) {
    const float* psi = learned.psi.data();
    return SingleMlp(kernels, learned.config, learned.nets[0], 0, psi);
  }

  double phi(const float* obs) {
    if (!table_.empty()) return table_[std::max_element(obs, obs + obs_size_) - obs];
    float value;
    net_(0, obs, &value);
    return value;
  }

  // Of all observations, one-hot.
  void tabulate() {
    std::vector<float> obs(obs_size_), table(obs_size_);
    for (int i = 0; i < obs_size_; ++i) {
      obs[i] = 1;
      net_(0, obs.data(), &table[i]);
      obs[i] = 0;
    }
    table_ = std::move(table);
  }

  const bool potential_, additive_, zero_terminal_;
  const double discount_;
  const int obs_size_;
  SingleMlp net_;
  std::vector<float> table_;
  std::unique_ptr<Environment> task_;
  double previous_ = 0;  // potential of the state that the agent is in
};

}  // namespace

std::unique_ptr<Environment> make_reward_network(const Kernels& kernels,
                                                 const Learned& learned,
                                                 const TaskSpec& spec,
                                                 std::unique_ptr<Environment> task, Random) {
  return std::make_unique<RewardNetwork>(kernels, learned, spec, std::move(task));
}

}  // namespace se_hpo
