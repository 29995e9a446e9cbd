// Dueling DDQN (Wang et al. 2016): features(s), then Q = V + A - mean A.
//
// features = MLP(obs -> hidden_layers x hidden_size -> feature_size, linear output),
// V = MLP(feature_size -> feature_size -> 1), A = MLP(feature_size -> feature_size -> n).
// Flat parameters: features, value, advantage; with prelu each has its own slope.
#include <algorithm>
#include <utility>

#include "double_q.hpp"

namespace se_hpo {
namespace {

// se_hpo.agents.dueling_ddqn_config.
struct DuelingConfig : DoubleQConfig {
  explicit DuelingConfig(const Fields& f)
      : DoubleQConfig(f),
        feature_size(f.size("feature_size", 1 << 16)),
        batch_advantage_mean(f.text("advantage_mean") == "batch") {}

  int feature_size;
  bool batch_advantage_mean;

  // Of the features' outputs and both streams.
  double more_weights() const { return feature_size * (hidden_size + 2.0 * feature_size); }
};

class DuelingQ final : public QNetwork {
 public:
  DuelingQ(const Kernels& kernels, const DuelingConfig& c, int obs_size, int n_actions)
      : kernels_(kernels),
        n_actions_(n_actions),
        features_(kernels, obs_size, c.feature_size, c.hidden_size, c.hidden_layers,
                  c.activation),
        value_(kernels, c.feature_size, 1, c.feature_size, 1, c.activation),
        advantage_(kernels, c.feature_size, n_actions, c.feature_size, 1, c.activation),
        features_gradient_(features_.make_gradient()),
        value_gradient_(value_.make_gradient()),
        advantage_gradient_(advantage_.make_gradient()),
        columns_(std::size_t(kMaxVectors) * kernels.width),
        d_value_(columns_),
        d_advantage_(n_actions * columns_),
        d_features_(c.feature_size * columns_),
        d_features_too_(c.feature_size * columns_) {
    for (Tapes& tapes : tapes_)
      tapes = {features_.make_tape(), value_.make_tape(), advantage_.make_tape(),
               Buffer(n_actions * columns_)};
  }

  std::size_t n_parameters() const override { return advantage_at() + advantage_.n_parameters(); }

  void initialize(float* parameters, Random& random) const override {
    features_.initialize(parameters, random);
    value_.initialize(parameters + value_at(), random);
    advantage_.initialize(parameters + advantage_at(), random);
  }

  // V + A - mean over the actions of A.
  const float* forward(const float* parameters, const float* obs, int vectors,
                       Pass pass) override {
    const float* f = features_.forward(parameters, obs, vectors, tapes_[pass].features);
    const float* v =
        value_.forward(parameters + value_at(), f, vectors, tapes_[pass].value);
    const float* a =
        advantage_.forward(parameters + advantage_at(), f, vectors, tapes_[pass].advantage);
    return combine(v, a, vectors, tapes_[pass].q.data());
  }

  void backward(const float* parameters, const float* dq, int vectors, bool first) override {
    const int n = vectors * kernels_.width;
    for (int c = 0; c < n; ++c) {
      float sum = 0;
      for (int a = 0; a < n_actions_; ++a) sum += dq[a * n + c];
      d_value_[c] = sum;
      for (int a = 0; a < n_actions_; ++a)
        d_advantage_[a * n + c] = dq[a * n + c] - sum / float(n_actions_);
    }
    backward_streams(parameters, vectors, first);
  }

  void collect(float* gradient) const override {
    features_.collect(features_gradient_, gradient);
    value_.collect(value_gradient_, gradient + value_at());
    advantage_.collect(advantage_gradient_, gradient + advantage_at());
  }

  // Backward with given gradients by V and A (d_value, d_advantage).
  void backward_streams(const float* parameters, int vectors, bool first) {
    Tapes& t = tapes_[kOnline];
    value_.backward(parameters + value_at(), t.value, d_value_.data(), vectors, first,
                    value_gradient_, d_features_.data());
    advantage_.backward(parameters + advantage_at(), t.advantage, d_advantage_.data(), vectors,
                        first, advantage_gradient_, d_features_too_.data());
    for (std::size_t i = 0; i < d_features_.size(); ++i) d_features_[i] += d_features_too_[i];
    features_.backward(parameters, t.features, d_features_.data(), vectors, first,
                       features_gradient_);
  }

  // Raw outputs of the last forward pass.
  const float* value(Pass pass) const { return tapes_[pass].value.output(); }
  const float* advantage(Pass pass) const { return tapes_[pass].advantage.output(); }
  Buffer& d_value() { return d_value_; }
  Buffer& d_advantage() { return d_advantage_; }

 private:
  struct Tapes {
    Mlp::Tape features, value, advantage;
    Buffer q;
  };

  std::size_t value_at() const { return features_.n_parameters(); }
  std::size_t advantage_at() const { return value_at() + value_.n_parameters(); }

  const float* combine(const float* v, const float* advantage, int vectors, float* q) const {
    const int n = vectors * kernels_.width;
    for (int c = 0; c < n; ++c) {
      float sum = 0;
      for (int a = 0; a < n_actions_; ++a) sum += advantage[a * n + c];
      const float base = v[c] - sum / float(n_actions_);
      for (int a = 0; a < n_actions_; ++a) q[a * n + c] = base + advantage[a * n + c];
    }
    return q;
  }

  const Kernels& kernels_;
  const int n_actions_;
  Mlp features_, value_, advantage_;
  Mlp::Gradient features_gradient_, value_gradient_, advantage_gradient_;
  std::size_t columns_;
  Buffer d_value_, d_advantage_, d_features_, d_features_too_;
  Tapes tapes_[kPasses];
};

// The authors' variant: the mean of A is taken over all actions of the whole batch. All
// panels must be known before any Q is, so the batch is gone through twice.
class BatchMeanAgent final : public DoubleQAgent {
 public:
  BatchMeanAgent(const AgentContext& context, std::unique_ptr<DuelingQ> network)
      : DoubleQAgent(context, std::move(network)),
        dueling_(static_cast<DuelingQ&>(*network_)),
        stride_(delta_.size()) {}

 protected:
  // The mean of A is over the batch, so that terminal steps take all passes, too.
  float differentiate(const Batch& batch, bool) override {
    const std::size_t n_panels = batch.panels().size();
    for (Buffer& q : q_)
      if (q.size() < n_panels * stride_) q = Buffer(n_panels * stride_);
    raw_values(batch);
    return gradients(batch);
  }

 private:

  const float* pass_parameters(int pass) {
    return pass == QNetwork::kTarget ? target_.data() : online_.data();
  }

  // q_[pass] = V + A - mean over batch and actions of A, for the three passes.
  void raw_values(const Batch& batch) {
    for (int pass = 0; pass < QNetwork::kPasses; ++pass) {
      double sum = 0;
      float* q = q_[pass].data();
      for (const TransitionPanel& panel : batch.panels()) {
        if (stop_) return;
        const auto which = static_cast<QNetwork::Pass>(pass);
        dueling_.forward(pass_parameters(pass),
                         pass == QNetwork::kOnline ? panel.state : panel.next_state,
                         panel.vectors, which);
        const int n = panel.vectors * kernels_.width;
        for (int a = 0; a < n_actions_; ++a)
          for (int c = 0; c < n; ++c) {
            const float advantage = dueling_.advantage(which)[a * n + c];
            q[a * n + c] = dueling_.value(which)[c] + advantage;
            if (panel.scale[c] > 0) sum += advantage;
          }
        q += stride_;
      }
      const float mean = static_cast<float>(sum / (double(batch.size()) * n_actions_));
      for (std::size_t i = 0; i < q_[pass].size(); ++i) q_[pass][i] -= mean;
    }
  }

  // dL/dV = delta; dL/dA = delta - mean of all delta over batch and actions.
  float gradients(const Batch& batch) {
    const float factor = 2.0f / static_cast<float>(batch.size());
    float total = 0;
    double sum = 0;
    std::size_t p = 0;
    for (const TransitionPanel& panel : batch.panels()) {
      float* q = q_[QNetwork::kOnline].data() + p;
      total += kernels_.double_q_delta(panel, q, q_[QNetwork::kNext].data() + p,
                                       q_[QNetwork::kTarget].data() + p, n_actions_,
                                       static_cast<float>(config_.gamma), factor, delta_.data());
      const int n = n_actions_ * panel.vectors * kernels_.width;
      std::copy(delta_.data(), delta_.data() + n, q);  // q(s, .) is not needed any more
      for (int i = 0; i < n; ++i) sum += q[i];
      p += stride_;
    }
    backward_all(batch, static_cast<float>(sum / (double(batch.size()) * n_actions_)));
    return total;
  }

  void backward_all(const Batch& batch, float mean) {
    const float* delta = q_[QNetwork::kOnline].data();
    bool first = true;
    for (const TransitionPanel& panel : batch.panels()) {
      if (stop_) return;
      dueling_.forward(online_.data(), panel.state, panel.vectors, QNetwork::kOnline);
      const int n = panel.vectors * kernels_.width;
      for (int c = 0; c < n; ++c) {
        float d_value = 0;
        for (int a = 0; a < n_actions_; ++a) {
          d_value += delta[a * n + c];
          dueling_.d_advantage()[a * n + c] = delta[a * n + c] - mean * panel.scale[c];
        }
        dueling_.d_value()[c] = d_value;
      }
      dueling_.backward_streams(online_.data(), panel.vectors, first);
      first = false;
      delta += stride_;
    }
    network_->collect(gradient_.data());
  }

  DuelingQ& dueling_;
  const std::size_t stride_;  // floats per panel in q_
  Buffer q_[QNetwork::kPasses];
};

std::unique_ptr<Agent> make(const AgentContext& c) {
  const DuelingConfig config(c.config);
  auto network = std::make_unique<DuelingQ>(c.kernels, config, c.obs_size, c.n_actions);
  if (config.batch_advantage_mean)
    return std::make_unique<BatchMeanAgent>(c, std::move(network));
  return std::make_unique<DoubleQAgent>(c, std::move(network));
}

double cost(const Fields& f, int obs_size, int n_actions) {
  const DuelingConfig c(f);
  return c.cost(c.weights(obs_size + n_actions, c.more_weights()));
}

double memory(const Fields& f, int obs_size, int n_actions) {
  const DuelingConfig c(f);
  return c.memory(obs_size + n_actions, c.more_weights(), 2.0 * c.feature_size);
}

}  // namespace

extern const AgentEntry kDuelingDDQN;
const AgentEntry kDuelingDDQN{make, cost, memory};

}  // namespace se_hpo
