#include "environment.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace se_hpo {
namespace {

double mean(const std::vector<double>& values, std::int64_t from, std::int64_t to) {
  double sum = 0;
  for (std::int64_t i = from; i < to; ++i) sum += values[i];
  return sum / double(to - from);
}

// Of the last k episodes.
double last_mean(const std::vector<double>& returns, const LoopConfig& config) {
  const std::int64_t n = returns.size();
  return mean(returns, std::max<std::int64_t>(0, n - config.stop_window), n);
}

class RepeatedTask final : public Environment {
 public:
  RepeatedTask(std::unique_ptr<Environment> task, int repeat, std::int64_t max_steps)
      : task_(std::move(task)), repeat_(repeat), max_steps_(max_steps) {}

  void reset(float* obs) override {
    length_ = 0;
    task_->reset(obs);
  }

  Step step(Action action, float* obs) override {
    Step sum = task_->step(action, obs);
    ++length_;
    while (sum.steps < repeat_ && !sum.ended && !sum.truncated && length_ < max_steps_) {
      const Step next = task_->step(action, obs);
      sum = {sum.reward + next.reward, next.done, next.ended, next.truncated, sum.steps + 1};
      ++length_;
    }
    return sum;
  }

 private:
  std::unique_ptr<Environment> task_;
  const int repeat_;
  const std::int64_t max_steps_;
  std::int64_t length_ = 0;
};

class ScaledTask final : public Environment {
 public:
  ScaledTask(std::unique_ptr<Environment> task, Bounds bounds)
      : task_(std::move(task)), bounds_(std::move(bounds)) {}

  void reset(float* obs) override {
    task_->reset(obs);
    scale(obs);
  }

  Step step(Action action, float* obs) override {
    const Step step = task_->step(action, obs);
    scale(obs);
    return step;
  }

 private:
  void scale(float* obs) const {
    for (const auto& [low, high] : bounds_) {
      *obs = static_cast<float>((*obs - low) * (2 / (high - low)) - 1);
      ++obs;
    }
  }

  std::unique_ptr<Environment> task_;
  const Bounds bounds_;
};

}  // namespace

std::unique_ptr<Environment> scale_observations(std::unique_ptr<Environment> task,
                                                Bounds bounds) {
  return std::make_unique<ScaledTask>(std::move(task), std::move(bounds));
}

std::unique_ptr<Environment> repeat_actions(std::unique_ptr<Environment> task, int repeat,
                                            std::int64_t max_steps) {
  return std::make_unique<RepeatedTask>(std::move(task), repeat, max_steps);
}

float Environment::stored_done(const Step& step, bool truncated,
                               const LoopConfig& config) const {
  return step.ended || (truncated && config.terminal_truncation) ? 1.0f : 0.0f;
}

std::optional<StopReason> Environment::stop_reason(const Result& so_far,
                                                   const LoopConfig& config,
                                                   const TaskSpec& spec) const {
  const bool tested = !so_far.curve_returns.empty();
  const auto& returns = tested ? so_far.curve_returns : so_far.episode_returns;
  if (tested && std::int64_t(returns.size()) < config.stop_window) return std::nullopt;
  if (last_mean(returns, config) < spec.solved_return) return std::nullopt;
  return StopReason::kSolved;
}

std::optional<StopReason> stop_on_plateau(const std::vector<double>& returns,
                                          const LoopConfig& config) {
  const std::int64_t n = returns.size(), k = config.stop_window;
  if (n - 1 < config.init_episodes + k) return std::nullopt;
  const double before = mean(returns, std::max<std::int64_t>(0, n - 2 * k), n - k);
  const double change =
      std::abs(last_mean(returns, config) - before) / (std::abs(before) + 1e-9);
  if (change >= config.plateau_tolerance) return std::nullopt;
  return StopReason::kPlateau;
}

}  // namespace se_hpo
