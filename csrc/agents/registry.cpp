#include "agent.hpp"

namespace se_hpo {

extern const AgentEntry kDDQN, kDuelingDDQN, kPPO, kTD3Discrete;

const std::map<std::string, AgentEntry>& agents() {
  static const std::map<std::string, AgentEntry> entries = {
      {"ddqn", kDDQN},
      {"dueling_ddqn", kDuelingDDQN},
      {"ppo", kPPO},
      {"td3_discrete", kTD3Discrete},
  };
  return entries;
}

}  // namespace se_hpo
