#include "environment.hpp"

namespace se_hpo {

std::unique_ptr<NativeTask> make_cartpole(Random random, const Fields&);
std::unique_ptr<NativeTask> make_acrobot(Random random, const Fields&);
std::unique_ptr<NativeTask> make_mountain_car(Random random, const Fields&);
std::unique_ptr<NativeTask> make_mountain_car_continuous(Random random, const Fields&);
std::unique_ptr<NativeTask> make_pendulum(Random random, const Fields&);
std::unique_ptr<NativeTask> make_gridworld(Random random, const Fields& fields);
std::unique_ptr<Environment> make_synthetic_env(const Kernels& kernels, const Learned& learned,
                                                const TaskSpec& spec,
                                                std::unique_ptr<Environment> task, Random random);
std::unique_ptr<Environment> make_reward_network(const Kernels& kernels,
                                                 const Learned& learned,
                                                 const TaskSpec& spec,
                                                 std::unique_ptr<Environment> task, Random random);
std::unique_ptr<Environment> make_one_step(const Kernels& kernels, const Learned& learned,
                                           const TaskSpec& spec,
                                           std::unique_ptr<Environment> task, Random random);
std::unique_ptr<Environment> make_learned_start(const Kernels& kernels, const Learned& learned,
                                                const TaskSpec& spec,
                                                std::unique_ptr<Environment> task,
                                                Random random);

const std::map<std::string, NativeTaskEntry>& native_tasks() {
  static const std::map<std::string, NativeTaskEntry> tasks = {
      {"cartpole", {4, 2, make_cartpole}},
      {"acrobot", {6, 3, make_acrobot}},
      {"mountain_car", {2, 3, make_mountain_car}},
      {"mountain_car_continuous", {2, 1, make_mountain_car_continuous}},
      {"pendulum", {3, 1, make_pendulum}},
      {"gridworld", {0, 4, make_gridworld}},
  };
  return tasks;
}

const std::map<std::string, LearnedMaker>& learned_environments() {
  static const std::map<std::string, LearnedMaker> kinds = {
      {"mdp", make_synthetic_env},
      {"mdp_learned_start", make_learned_start},
      {"one_step", make_one_step},
      {"exclusive_potential", make_reward_network},
      {"additive_potential", make_reward_network},
      {"exclusive", make_reward_network},
      {"additive", make_reward_network},
  };
  return kinds;
}

}  // namespace se_hpo
