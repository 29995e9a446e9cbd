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

const std::function<bool(std::size_t)> kGoOn = [](std::size_t) { return true; };

// All fields of all agents: each reads its own.
Fields agent(const char* algorithm, const char* activation, int hidden, int layers, int batch) {
  return {{{"algorithm", std::string(algorithm)},
           {"train_episodes", std::int64_t(6)},
           {"test_episodes", std::int64_t(2)},
           {"init_episodes", std::int64_t(1)},
           {"max_env_steps", std::int64_t(150)},
           {"stop_window", std::int64_t(3)},
           {"action_repeat", std::int64_t(1 + hidden % 2)},
           {"plateau_tolerance", 0.01},
           {"truncation", std::string("bootstrap")},
           {"batch_size", std::int64_t(batch)},
           {"buffer_size", std::int64_t(37)},
           {"gamma", 0.99},
           {"lr", 1e-3},
           {"tau", 0.01},
           {"activation", std::string(activation)},
           {"hidden_size", std::int64_t(hidden)},
           {"hidden_layers", std::int64_t(layers)},
           {"eps_init", 1.0},
           {"eps_min", 0.1},
           {"eps_decay", 0.9},
           {"feature_size", std::int64_t(hidden + 3)},
           {"advantage_mean", std::string("sample")},
           {"policy_delay", std::int64_t(1)},
           {"gumbel_anneal_updates", std::int64_t(100)},
           {"action_std", 0.1},
           {"policy_std", 0.2},
           {"policy_std_clip", 0.5},
           {"gumbel_temperature", 1.0},
           {"gumbel_hard", false},
           {"layer_norm", false},
           {"rollout_steps", std::int64_t(40)},
           {"epochs", std::int64_t(3)},
           {"update_episodes", std::int64_t(2)},
           {"gae_lambda", 0.95},
           {"clip_range", 0.2},
           {"ent_coef", 0.01},
           {"vf_coef", 0.5},
           {"max_grad_norm", 0.5},
           {"variant", std::string(batch % 2 ? "standard" : "authors")},
           {"count_bonus", 0.1},
           {"q_init", 0.0},
           {"next_action", std::string("taken")}}};
}

TaskSpec task(const char* name) {
  const NativeTaskEntry& entry = native_tasks().at(name);
  return {200, 195, 8, entry.obs_size, entry.n_actions,
          [make = entry.make](Random random) { return make(random, Fields{}); }};
}

// Networks of a kind of SE, as se_hpo/envs/learned lays them out.
std::vector<Net> nets(const std::string& kind, int inputs, int obs_size) {
  if (kind == "mdp") return {{inputs, obs_size}, {inputs, 1}, {inputs, 1}};
  if (kind == "one_step") return {{obs_size, obs_size}, {inputs, 1}};
  return {{obs_size, obs_size}, {inputs, obs_size}, {inputs, 1}, {obs_size, 1}};
}

Learned learned(const TaskSpec& spec, const Fields& agent, std::uint64_t seed,
                const std::string& kind) {
  const int size = 11, layers = 1 + int(seed % 3), inputs = spec.obs_size + spec.n_actions;
  Learned se{{{{"kind", kind},
               {"activation", agent.text("activation")},
               {"hidden_size", std::int64_t(size)},
               {"hidden_layers", std::int64_t(layers)},
               {"max_steps", std::int64_t(9)}}},
             nets(kind, inputs, spec.obs_size),
             {}};
  std::size_t n = 0;
  for (const Net& net : se.nets)
    n += size * (net.inputs + 1) + (layers - 1) * size * (size + 1) + net.outputs * (size + 1);
  Random random(seed, Role::kInit);
  for (std::size_t i = 0; i < n; ++i) se.psi.push_back(float(random.uniform(-0.3, 0.3)));
  return se;
}

Job job(const char* name, const Fields& config, std::uint64_t seed, bool on_se) {
  Job j{task(name), config, seed, {}};
  const char* const kinds[] = {"mdp", "one_step", "mdp_learned_start"};
  if (on_se) j.learned = learned(j.task, config, seed, kinds[seed / 2 % 3]);
  if (on_se && seed % 4 == 0) j.schedule = 60, j.learn_from = 20;
  return j;
}

std::vector<Job> many_jobs() {
  const char* const activations[] = {"tanh", "relu", "leaky_relu", "prelu"};
  const char* const tasks[] = {"cartpole", "acrobot", "mountain_car"};
  const char* const algorithms[] = {"ddqn", "dueling_ddqn", "dueling_ddqn", "td3_discrete",
                                    "ppo"};
  const int sizes[] = {1, 2, 7, 8, 9, 16, 17, 33, 57};
  std::vector<Job> jobs;
  std::uint64_t seed = 0;
  for (const int hidden : sizes)
    for (const int batch : {1, 5, 24, 25, 49})
      for (const int a : {0, 1, 2, 3, 4}) {
        Fields c = agent(algorithms[a], activations[seed % 4], hidden, 1 + int(seed % 3), batch);
        if (a == 2) c.values["advantage_mean"] = std::string("batch");
        c.values["policy_delay"] = std::int64_t(1 + seed % 2);
        c.values["gumbel_hard"] = seed % 3 == 0;
        c.values["layer_norm"] = seed % 5 != 0;
        jobs.push_back(job(tasks[seed % 3], c, seed, seed % 2 == 0));
        ++seed;
      }
  return jobs;
}

std::vector<Job> continuous_jobs() {
  std::vector<Job> jobs;
  for (const char* name : {"pendulum", "mountain_car_continuous"})
    for (const int hidden : {1, 8, 17, 33})
      for (const int batch : {1, 5, 24, 49})
        for (const char* algorithm : {"td3", "ppo"}) {
          const Fields c = agent(algorithm, "relu", hidden, 1 + batch % 3, batch);
          jobs.push_back(job(name, c, jobs.size(), false));
          Job& last = jobs.back();
          last.task.continuous = true;
          if (batch == 5) last.learned = learned(last.task, c, last.seed, "one_step");
          if (batch == 24) last.learned = learned(last.task, c, last.seed, "mdp_learned_start");
        }
  return jobs;
}

std::vector<Job> tabular_jobs() {
  const Fields fields{{{"map", std::string("S.#\nOO.\n..G")},
                       {"step_reward", -0.01},
                       {"goal_reward", 1.0},
                       {"hole_reward", -1.0}}};
  const TaskSpec spec{20, 0.8, -1, 9, 4, [fields](Random random) {
                        return native_tasks().at("gridworld").make(random, fields);
                      }};
  std::vector<Job> jobs;
  for (const char* algorithm : {"q_learning", "sarsa"})
    for (const char* next : {"taken", "drawn"}) {
      Fields c = agent(algorithm, "relu", 1, 1, 1);
      c.values["next_action"] = std::string(next);
      jobs.push_back({spec, c, jobs.size(), {}});
    }
  return jobs;
}

bool same(const Result& a, const Result& b) {
  return a.test_returns == b.test_returns && a.episode_returns == b.episode_returns &&
         a.episode_lengths == b.episode_lengths && a.stop_reason == b.stop_reason;
}

void results_do_not_depend_on_threads(const Kernels& kernels) {
  std::vector<Job> jobs = many_jobs();
  for (const Job& job : tabular_jobs()) jobs.push_back(job);
  for (const Job& job : continuous_jobs()) jobs.push_back(job);
  const std::vector<Result> one = run_jobs(jobs, 1, kernels, kGoOn);
  const std::vector<Result> four = run_jobs(jobs, 4, kernels, kGoOn);
  CHECK(one.size() == jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    CHECK(same(one[i], four[i]));
    CHECK(one[i].test_returns.size() == 2);
  }
}

void poison_diverges(const Kernels& kernels, const char* algorithm) {
  Job bad = job("cartpole", agent(algorithm, "relu", 9, 1, 16), 3, true);
  const Job good = job("cartpole", agent(algorithm, "relu", 9, 1, 16), 4, true);
  const Result alone = run_jobs({good}, 1, kernels, kGoOn)[0];
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), 3e38f}) {
    bad.learned->psi.assign(bad.learned->psi.size(), value);
    const std::vector<Result> results = run_jobs({bad, good}, 2, kernels, kGoOn);
    CHECK(results[0].stop_reason == StopReason::kDiverged);
    CHECK(results[0].test_returns == std::vector<double>(2, 8.0));
    CHECK(same(results[1], alone));
  }
}

void interruption_ends_all(const Kernels& kernels, const char* algorithm) {
  Fields c = agent(algorithm, "tanh", 64, 2, 128);
  c.values["train_episodes"] = std::int64_t(1) << 50;
  c.values["max_env_steps"] = std::int64_t(0);
  c.values["plateau_tolerance"] = 0.0;
  const std::vector<Job> jobs(5, job("cartpole", c, 6, true));
  int polls = 0;
  CHECK(run_jobs(jobs, 3, kernels, [&](std::size_t) { return ++polls < 3; }).empty());
}

class Thrower final : public Environment {
 public:
  void reset(float*) override { throw std::runtime_error("broken"); }
  Step step(Action, float*) override { return {}; }
};

void exceptions_reach_the_caller(const Kernels& kernels) {
  std::vector<Job> jobs(6, job("cartpole", agent("ddqn", "tanh", 8, 1, 8), 1, false));
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
    for (const char* algorithm : {"ddqn", "td3_discrete", "ppo"}) {
      poison_diverges(kernels, algorithm);
      interruption_ends_all(kernels, algorithm);
    }
    exceptions_reach_the_caller(kernels);
    replay_keeps_the_newest(kernels);
    replay_keeps_action_vectors(kernels);
    std::printf("%s: ok\n", *name);
  }
}
