// SARSA (Rummery & Niranjan 1994); see se_hpo/agents/sarsa.py.
#include "q_learning.hpp"

namespace se_hpo {
namespace {

class SARSA final : public QLearning {
 public:
  explicit SARSA(const AgentContext& context)
      : QLearning(context), taken_(context.config.text("next_action") == "taken") {}

  void begin_episode(std::int64_t episode) override {
    QLearning::begin_episode(episode);
    next_ = kNone;
  }

  Action explore(const float* obs) override {
    if (next_ == kNone) return QLearning::explore(obs);
    const int action = next_;
    next_ = kNone;
    return action;
  }

 private:
  static constexpr int kNone = -1;

  // The value of an action of the policy, which is the next one if so configured.
  double next_value(int next_state) override {
    const int action = draw(next_state);
    if (taken_) next_ = action;
    return q(next_state, action);
  }

  const bool taken_;
  int next_ = kNone;
};

std::unique_ptr<Agent> make(const AgentContext& c) { return std::make_unique<SARSA>(c); }

}  // namespace

extern const AgentEntry kSARSA;
const AgentEntry kSARSA{make, tabular_cost, tabular_memory};

}  // namespace se_hpo
