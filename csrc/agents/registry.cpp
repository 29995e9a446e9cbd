#include "agent.hpp"

namespace se_hpo {

extern const AgentEntry kDDQN, kDuelingDDQN, kTD3, kTD3Discrete, kPPO, kQLearning, kSARSA;

const std::map<std::string, AgentEntry>& agents() {
  static const std::map<std::string, AgentEntry> entries = {
      {"ddqn", kDDQN},
      {"dueling_ddqn", kDuelingDDQN},
      {"td3", kTD3},
      {"td3_discrete", kTD3Discrete},
      {"ppo", kPPO},
      {"q_learning", kQLearning},
      {"sarsa", kSARSA},
  };
  return entries;
}

}  // namespace se_hpo
