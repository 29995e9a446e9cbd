// Python values to the engine's own types.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "job.hpp"

namespace se_hpo {

AgentConfig agent_config_from(const pybind11::dict& d);
SyntheticEnvConfig se_config_from(const pybind11::dict& d);
Activation activation_from(const std::string& name);
// Raises ValueError for an instruction set that this processor has not.
const Kernels& kernels_named(const std::string& isa);

}  // namespace se_hpo
