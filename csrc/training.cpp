#include "training.hpp"

#include <algorithm>
#include <memory>

#include "agents/agent.hpp"
#include "envs/environment.hpp"

namespace se_hpo {
namespace {

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return is_finite(x); });
}

class InnerLoop {
 public:
  InnerLoop(const Job& job, const Kernels& kernels, const std::atomic<bool>& stop)
      : job_(job),
        config_(job.agent),
        stop_(stop),
        agent_(agents().at(job.agent.text("algorithm")).make(
            {kernels, job.agent, job.task.obs_size, job.task.n_actions, job.seed, stop,
             job.task.continuous, job.task.discrete_obs})),
        env_(make_env(kernels)),
        curve_task_(job.test_while_training ? make_task(Role::kCurve) : nullptr),
        state_(job.task.obs_size),
        next_state_(job.task.obs_size) {}

  Result run() {
    if (train() && test()) return std::move(result_);
    result_.stop_reason = StopReason::kDiverged;
    result_.test_returns.assign(config_.test_episodes, job_.task.worst_return);
    return std::move(result_);
  }

 private:
  std::unique_ptr<Environment> make_task(Role role) const {
    std::unique_ptr<Environment> task = job_.task.make(Random(job_.seed, role));
    if (config_.action_repeat == 1) return task;
    const std::int64_t limit = role == Role::kEnv ? job_.task.max_steps : test_limit();
    return repeat_actions(std::move(task), int(config_.action_repeat), limit);
  }

  std::int64_t test_limit() const {
    return job_.max_test_steps ? job_.max_test_steps : job_.task.max_steps;
  }

  std::unique_ptr<Environment> make_env(const Kernels& kernels) const {
    std::unique_ptr<Environment> task = make_task(Role::kEnv);
    if (!job_.learned) return task;
    const LearnedMaker make = learned_environments().at(job_.learned->config.text("kind"));
    return make(kernels, *job_.learned, job_.task, std::move(task),
                Random(job_.seed, Role::kLearned));
  }

  // False if anything was not finite.
  bool train() {
    if (job_.learned && !all_finite(job_.learned->psi)) return false;
    for (std::int64_t episode = 0; episode < config_.train_episodes && !stop_; ++episode) {
      const bool finite = train_episode(episode);
      const bool at_limit = config_.max_env_steps && env_steps_ >= config_.max_env_steps;
      const bool last = at_limit || episode + 1 == config_.train_episodes;
      if (!finite || !test_while_training(last)) return false;
      if (at_limit) {
        result_.stop_reason = StopReason::kMaxEnvSteps;
        return true;
      }
      if (episode >= config_.init_episodes && may_stop()) return true;
    }
    return true;
  }

  bool train_episode(std::int64_t episode) {
    result_.episode_returns.push_back(0.0);
    result_.episode_lengths.push_back(0);
    double& sum = result_.episode_returns.back();
    std::int64_t& length = result_.episode_lengths.back();
    agent_->begin_episode(episode);
    env_->reset(state_.data());
    bool terminated = false;
    for (bool ended = false; !ended && !stop_;) {
      const std::int64_t before = env_steps_;
      if (job_.schedule) agent_->at_step({before, job_.schedule, job_.learn_from});
      const Action action = agent_->explore(state_.data());
      if (!action.finite()) return false;
      const Step step = env_->step(action, next_state_.data());
      length += step.steps;
      env_steps_ += step.steps;
      if (!is_sound(step)) return false;
      sum += step.reward;
      const bool truncated = step.truncated || length >= job_.task.max_steps;
      agent_->store(state_.data(), action, next_state_.data(), float(step.reward),
                    env_->stored_done(step, truncated, config_));
      const bool learns =
          job_.schedule ? before >= job_.learn_from : episode >= config_.init_episodes;
      if (learns && !(env_->one_step() ? agent_->learn_terminal() : agent_->learn())) return false;
      std::swap(state_, next_state_);
      terminated = step.ended;
      ended = terminated || truncated ||
              (config_.max_env_steps && env_steps_ >= config_.max_env_steps);
    }
    return agent_->end_episode(!terminated);
  }

  bool is_sound(const Step& step) const {
    return is_finite(float(step.reward)) && is_finite(step.done) && all_finite(next_state_);
  }

  bool may_stop() {
    if (!job_.stop_by_rule) return false;
    const auto reason = env_->stop_reason(result_, config_, job_.task);
    if (reason) result_.stop_reason = *reason;
    return reason.has_value();
  }

  bool test() {
    const std::unique_ptr<Environment> task = make_task(Role::kTest);
    for (std::int64_t episode = 0; episode < config_.test_episodes && !stop_; ++episode)
      if (!test_episode(*task, result_.test_returns)) return false;
    return true;
  }

  // The last episode has a test, however few steps after the one before.
  bool test_while_training(bool last) {
    const std::int64_t before = result_.curve_steps.empty() ? 0 : result_.curve_steps.back();
    if (!curve_task_ || (!last && env_steps_ - before < job_.test_every)) return true;
    if (!test_episode(*curve_task_, result_.curve_returns)) return false;
    result_.curve_steps.push_back(env_steps_);
    return true;
  }

  // Adds its return; false if anything was not finite.
  bool test_episode(Environment& task, std::vector<double>& returns) {
    double sum = 0;
    task.reset(state_.data());
    for (std::int64_t length = 0; !stop_;) {
      const Action action = agent_->exploit(state_.data());
      if (!action.finite()) return false;
      const Step step = task.step(action, state_.data());
      length += step.steps;
      result_.test_env_steps += step.steps;
      if (!is_finite(float(step.reward))) return false;
      sum += step.reward;
      if (step.ended || step.truncated || length >= test_limit()) break;
    }
    returns.push_back(sum);
    return true;
  }

  const Job& job_;
  const LoopConfig config_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<Environment> env_, curve_task_;
  std::vector<float> state_, next_state_;
  std::int64_t env_steps_ = 0;
  Result result_;
};

}  // namespace

LoopConfig::LoopConfig(const Fields& f)
    : train_episodes(f.integer("train_episodes")),
      test_episodes(f.integer("test_episodes", std::int64_t(1) << 31)),
      init_episodes(f.integer("init_episodes")),
      max_env_steps(f.integer("max_env_steps")),
      stop_window(f.integer("stop_window")),
      action_repeat(f.size("action_repeat", 1 << 20)),
      plateau_tolerance(f.real("plateau_tolerance")),
      terminal_truncation(f.text("truncation") == "terminal") {}

Result train_agent(const Job& job, const Kernels& kernels, const std::atomic<bool>& stop) {
  return InnerLoop(job, kernels, stop).run();
}

}  // namespace se_hpo
