#include "agent.hpp"

namespace se_hpo {

extern const AgentEntry kDDQN, kDuelingDDQN, kPPO, kQLearning, kSARSA, kTD3Discrete;

const std::map<std::string, AgentEntry>& agents() {
  static const std::map<std::string, AgentEntry> entries = {
      {"ddqn", kDDQN},
      {"dueling_ddqn", kDuelingDDQN},
      {"ppo", kPPO},
      {"td3_discrete", kTD3Discrete},
      {"q_learning", kQLearning},
      {"sarsa", kSARSA},
  };
  return entries;
}

}  // namespace se_hpo
