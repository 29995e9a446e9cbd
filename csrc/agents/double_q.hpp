// Double Q-learning with replay and a slowly moving target (van Hasselt et al. 2016), for
// any Q-network.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "../adam.hpp"
#include "../buffer.hpp"
#include "../mlp.hpp"
#include "../replay.hpp"
#include "agent.hpp"
#include "off_policy.hpp"

namespace se_hpo {

// se_hpo.agents.ddqn_config.
struct DoubleQConfig : OffPolicyConfig {
  explicit DoubleQConfig(const Fields& f)
      : OffPolicyConfig(f),
        eps_init(f.real("eps_init")),
        eps_min(f.real("eps_min")),
        eps_decay(f.real("eps_decay")) {}

  double eps_init, eps_min, eps_decay;

  // Multiply-adds of an update: three passes forward and one back (two products).
  double cost(double weights) const { return 5 * weights * batch_size; }
};

// Q(s, .) for panels of states, and its gradient. Keeps what the passes need.
class QNetwork {
 public:
  virtual ~QNetwork() = default;
  virtual std::size_t n_parameters() const = 0;
  virtual void initialize(float* parameters, Random& random) const = 0;

  // A pass has its own memory, so that one update's three passes can stand side by side.
  enum Pass { kOnline, kNext, kTarget, kPasses };
  // n_actions x columns.
  virtual const float* forward(const float* parameters, const float* obs, int vectors,
                               Pass pass) = 0;
  // Backward through the last kOnline pass; `first` panel of the batch or a further one.
  virtual void backward(const float* parameters, const float* dq, int vectors, bool first) = 0;
  // The gradient summed over the panels.
  virtual void collect(float* gradient) const = 0;
};

class DoubleQAgent : public Agent {
 public:
  DoubleQAgent(const AgentContext& context, std::unique_ptr<QNetwork> network);

  void begin_episode(std::int64_t episode) override;
  void at_step(const Progress& progress) override;
  Action explore(const float* obs) override;
  Action exploit(const float* obs) override;
  void store(const float* state, Action action, const float* next_state, float reward,
             float done) override;
  bool learn() override;
  bool learn_terminal() override;

  // One update on the given batch, for learn() and tests.
  // `terminal`: done is 1 in all of it, so that y is r, whatever Q(s', .) is.
  bool update(const Batch& batch, bool terminal = false);
  Buffer& online() { return online_; }
  Buffer& target() { return target_; }
  // Of the last update's loss.
  const Buffer& gradient() const { return gradient_; }
  std::size_t n_parameters() const { return network_->n_parameters(); }
  // Q(obs, .): n_actions values.
  std::vector<float> q_values(const float* obs);

 protected:
  // Leaves the gradient of the loss in gradient_; returns the sum of squared errors.
  virtual float differentiate(const Batch& batch, bool terminal);

  const Kernels& kernels_;
  const DoubleQConfig config_;
  const int obs_size_, n_actions_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<QNetwork> network_;
  Buffer online_, target_, gradient_;
  Buffer delta_;  // dL/dq of one panel

 private:
  const float* q_column(const float* obs);

  Adam adam_;
  Random exploration_, sampling_;
  Replay replay_;
  Batch batch_;
  Buffer column_;  // one observation as a panel
  double epsilon_;
};

}  // namespace se_hpo
