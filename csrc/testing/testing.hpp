// Entry points for the tests (single updates, single steps, single functions) and for
// experiments/bench_engine.py (parts of the engine alone, timed).
#pragma once

#include <pybind11/pybind11.h>

namespace se_hpo {

void bind_testing(pybind11::module_& m);
void bind_testing_ppo(pybind11::module_& m);
void bind_testing_td3(pybind11::module_& m);
void bind_testing_tabular(pybind11::module_& m);
void bind_benchmark(pybind11::module_& m);

}  // namespace se_hpo
