// Entry points for experiments/bench_engine.py: parts of the engine alone, timed.
#pragma once

#include <pybind11/pybind11.h>

namespace se_hpo {

void bind_benchmark(pybind11::module_& m);

}  // namespace se_hpo
