#include "agent.hpp"

namespace se_hpo {

std::unique_ptr<Agent> make_ddqn(const AgentContext& context);
std::unique_ptr<Agent> make_dueling_ddqn(const AgentContext& context);

const std::map<std::string, AgentMaker>& agent_makers() {
  static const std::map<std::string, AgentMaker> makers = {
      {"ddqn", make_ddqn},
      {"dueling_ddqn", make_dueling_ddqn},
  };
  return makers;
}

}  // namespace se_hpo
