// C++ tests of the engine without Python, to be run under sanitizers (run_sanitizers.sh).
//
// Correctness against torch and Gymnasium is tested from Python; here every path is
// walked with odd sizes, several threads and poisoned inputs.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../envs/environment.hpp"
#include "../envs/synthetic_env.hpp"
#include "../job.hpp"
#include "../pool.hpp"
#include "../replay.hpp"

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
      std::exit(1);                                                            \
    }                                                                          \
  } while (0)

namespace se_hpo {
namespace {

const std::function<bool()> kGoOn = [] { return true; };

AgentConfig agent(const char* algorithm, Activation activation, int hidden, int layers,
                  int batch) {
  AgentConfig c{};
  c.algorithm = algorithm;
  c.train_episodes = 6;
  c.test_episodes = 2;
  c.init_episodes = 1;
  c.max_env_steps = 150;
  c.stop_window = 3;
  c.plateau_tolerance = 0.01;
  c.batch_size = batch;
  c.buffer_size = 37;
  c.gamma = 0.99;
  c.lr = 1e-3;
  c.tau = 0.01;
  c.activation = activation;
  c.hidden_size = hidden;
  c.hidden_layers = layers;
  c.eps_init = 1;
  c.eps_min = 0.1;
  c.eps_decay = 0.9;
  c.feature_size = c.algorithm == "dueling_ddqn" ? hidden + 3 : 0;
  c.action_std = 0.1;
  c.policy_std = 0.2;
  c.policy_std_clip = 0.5;
  c.gumbel_anneal_updates = 100;
  return c;
}

TaskSpec task(const char* name) {
  const NativeTaskEntry& entry = native_tasks().at(name);
  return {200, 195, 8, entry.obs_size, entry.n_actions,
          [make = entry.make](Random random) { return make(random); }};
}

Job job(const char* name, const AgentConfig& config, std::uint64_t seed, bool on_se) {
  Job j{task(name), config, seed, on_se, {config.activation, 11, 1 + int(seed % 3)}, {}};
  Random random(seed, Role::kInit);
  if (on_se)
    j.psi.resize(SyntheticEnv::n_parameters(j.se, j.task.obs_size, j.task.n_actions));
  for (float& value : j.psi) value = float(random.uniform(-0.3, 0.3));
  return j;
}

std::vector<Job> many_jobs() {
  const Activation activations[] = {Activation::kTanh, Activation::kRelu,
                                    Activation::kLeakyRelu, Activation::kPrelu};
  const char* const tasks[] = {"cartpole", "acrobot", "mountain_car"};
  const char* const algorithms[] = {"ddqn", "dueling_ddqn", "dueling_ddqn", "td3_discrete"};
  const int sizes[] = {1, 2, 7, 8, 9, 16, 17, 33, 57};
  std::vector<Job> jobs;
  std::uint64_t seed = 0;
  for (const int hidden : sizes)
    for (const int batch : {1, 5, 24, 25, 49})
      for (const int a : {0, 1, 2, 3}) {
        AgentConfig c = agent(algorithms[a], activations[seed % 4], hidden, 1 + int(seed % 3),
                              batch);
        c.batch_advantage_mean = a == 2;
        c.policy_delay = 1 + seed % 2;
        c.gumbel_hard = seed % 3 == 0;
        c.layer_norm = seed % 5 != 0;
        jobs.push_back(job(tasks[seed % 3], c, seed, seed % 2 == 0));
        ++seed;
      }
  return jobs;
}

bool same(const Result& a, const Result& b) {
  return a.test_returns == b.test_returns && a.episode_returns == b.episode_returns &&
         a.episode_lengths == b.episode_lengths && a.stop_reason == b.stop_reason;
}

void results_do_not_depend_on_threads(const Kernels& kernels) {
  const std::vector<Job> jobs = many_jobs();
  const std::vector<Result> one = run_jobs(jobs, 1, kernels, kGoOn);
  const std::vector<Result> four = run_jobs(jobs, 4, kernels, kGoOn);
  CHECK(one.size() == jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    CHECK(same(one[i], four[i]));
    CHECK(one[i].test_returns.size() == 2);
  }
}

void poison_diverges(const Kernels& kernels, const char* algorithm) {
  Job bad = job("cartpole", agent(algorithm, Activation::kRelu, 9, 1, 16), 3, true);
  const Job good = job("cartpole", agent(algorithm, Activation::kRelu, 9, 1, 16), 4, true);
  const Result alone = run_jobs({good}, 1, kernels, kGoOn)[0];
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), 3e38f}) {
    bad.psi.assign(bad.psi.size(), value);
    const std::vector<Result> results = run_jobs({bad, good}, 2, kernels, kGoOn);
    CHECK(results[0].stop_reason == StopReason::kDiverged);
    CHECK(results[0].test_returns == std::vector<double>(2, 8.0));
    CHECK(same(results[1], alone));
  }
}

void interruption_ends_all(const Kernels& kernels, const char* algorithm) {
  AgentConfig c = agent(algorithm, Activation::kTanh, 64, 2, 128);
  c.train_episodes = std::int64_t(1) << 50;
  c.max_env_steps = 0;
  c.plateau_tolerance = 0;
  const std::vector<Job> jobs(5, job("cartpole", c, 6, true));
  int polls = 0;
  CHECK(run_jobs(jobs, 3, kernels, [&] { return ++polls < 3; }).empty());
}

class Thrower final : public Environment {
 public:
  void reset(float*) override { throw std::runtime_error("broken"); }
  Step step(int, float*) override { return {}; }
};

void exceptions_reach_the_caller(const Kernels& kernels) {
  std::vector<Job> jobs(6, job("cartpole", agent("ddqn", Activation::kTanh, 8, 1, 8), 1, false));
  jobs[3].task.make = [](Random) { return std::make_unique<Thrower>(); };
  bool thrown = false;
  try {
    run_jobs(jobs, 2, kernels, kGoOn);
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  CHECK(thrown);
}

void replay_keeps_the_newest(const Kernels& kernels) {
  Replay replay(10, 3);
  for (int i = 0; i < 25; ++i) {
    const float s[3] = {float(i), 0, 0};
    replay.add(s, i % 2, s, float(i), 0);
  }
  CHECK(replay.size() == 10);
  Batch batch(kernels, 101, 3);
  Random random(1, Role::kReplay);
  replay.sample(random, batch);
  int samples = 0;
  for (const TransitionPanel& panel : batch.panels())
    for (int c = 0; c < panel.vectors * kernels.width; ++c) {
      CHECK(panel.reward[c] >= 15 && panel.reward[c] < 25);
      CHECK(panel.state[c] == panel.reward[c] && panel.next_state[c] == panel.reward[c]);
      CHECK(panel.action[c] == float(int(panel.reward[c]) % 2));
      samples += panel.scale[c] > 0;
    }
  CHECK(samples == 101);
}

void replay_keeps_action_vectors(const Kernels& kernels) {
  Replay replay(10, {3, 2});
  for (int i = 0; i < 25; ++i) {
    const float s[3] = {float(i), 1, 2}, a[2] = {float(i), -1};
    replay.add(s, a, s, float(i), 0.5f);
  }
  Batch batch(kernels, 101, {3, 2});
  Random random(1, Role::kReplay);
  replay.sample(random, batch);
  for (const TransitionPanel& panel : batch.panels()) {
    const int n = panel.vectors * kernels.width;
    CHECK(panel.action == panel.state + 3 * n);
    CHECK(panel.next_action == panel.next_state + 3 * n);
    for (int i = 0; i < 2 * n; ++i) panel.next_action[i] = -7;  // harms nothing else
    for (int c = 0; c < n; ++c) {
      CHECK(panel.reward[c] >= 15 && panel.reward[c] < 25);
      CHECK(panel.state[c] == panel.reward[c] && panel.next_state[c] == panel.reward[c]);
      CHECK(panel.action[c] == panel.reward[c] && panel.action[n + c] == -1);
      CHECK(panel.state[n + c] == 1 && panel.next_state[2 * n + c] == 2);
      CHECK(panel.done[c] == 0.5f && (panel.scale[c] == 1 || panel.scale[c] == 0));
    }
  }
}

}  // namespace
}  // namespace se_hpo

int main() {
  using namespace se_hpo;
  for (const char* const* name = usable_isas(); *name; ++name) {
    const Kernels& kernels = *find_kernels(*name);
    results_do_not_depend_on_threads(kernels);
    for (const char* algorithm : {"ddqn", "td3_discrete"}) {
      poison_diverges(kernels, algorithm);
      interruption_ends_all(kernels, algorithm);
    }
    exceptions_reach_the_caller(kernels);
    replay_keeps_the_newest(kernels);
    replay_keeps_action_vectors(kernels);
    std::printf("%s: ok\n", *name);
  }
}
