// The Python module se_hpo._engine_testing: in checkouts only, in no wheel (setup.py).
#include "testing.hpp"

PYBIND11_MODULE(_engine_testing, m) {
  m.doc() = "Parts of the native engine, for its tests and benchmarks.";
  se_hpo::bind_testing(m);
  se_hpo::bind_testing_ppo(m);
  se_hpo::bind_testing_td3(m);
  se_hpo::bind_testing_tabular(m);
  se_hpo::bind_benchmark(m);
}
