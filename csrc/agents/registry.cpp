#include "agent.hpp"

namespace se_hpo {

std::unique_ptr<Agent> make_ddqn(const AgentContext& context);
std::unique_ptr<Agent> make_dueling_ddqn(const AgentContext& context);
std::unique_ptr<Agent> make_td3_discrete(const AgentContext& context);

const std::map<std::string, AgentMaker>& agent_makers() {
  static const std::map<std::string, AgentMaker> makers = {
      {"ddqn", make_ddqn},
      {"dueling_ddqn", make_dueling_ddqn},
      {"td3_discrete", make_td3_discrete},
  };
  return makers;
}

}  // namespace se_hpo
