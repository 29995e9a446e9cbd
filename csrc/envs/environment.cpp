#include "environment.hpp"

#include <algorithm>
#include <cmath>

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

}  // namespace

float Environment::stored_done(const Step& step, bool truncated,
                               const LoopConfig& config) const {
  return step.ended || (truncated && config.terminal_truncation) ? 1.0f : 0.0f;
}

std::optional<StopReason> Environment::stop_reason(const std::vector<double>& returns,
                                                   const LoopConfig& config,
                                                   const TaskSpec& spec) const {
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
