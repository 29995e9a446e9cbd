// Python values to the engine's own types.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "fields.hpp"

namespace se_hpo {

// Of str, bool, int and float values.
Fields fields_from(const pybind11::dict& d);
// Raises ValueError for an instruction set that this processor has not.
const Kernels& kernels_named(const std::string& isa);

}  // namespace se_hpo
