#include "convert.hpp"

#include <cmath>
#include <stdexcept>

namespace py = pybind11;

namespace se_hpo {
namespace {

// An int64, or the nearest double where it is too large for one.
void set_integer(Fields& fields, const std::string& name, PyObject* value) {
  int overflow = 0;
  const long long whole = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (!overflow) {
    fields.values[name] = std::int64_t(whole);
    return;
  }
  const double real = PyLong_AsDouble(value);
  PyErr_Clear();  // of a number beyond any double
  fields.values[name] = std::abs(real) > 1 ? real : overflow * HUGE_VAL;
}

}  // namespace

Fields fields_from(const py::dict& d) {
  Fields fields;
  for (const auto& [key, value] : d) {
    const std::string name = py::cast<std::string>(key);
    if (value.is_none()) continue;  // a field that may be None is then not there
    if (py::isinstance<py::str>(value))
      fields.values[name] = py::cast<std::string>(value);
    else if (py::isinstance<py::bool_>(value))
      fields.values[name] = py::cast<bool>(value);
    else if (py::isinstance<py::int_>(value))
      set_integer(fields, name, value.ptr());
    else
      fields.values[name] = py::cast<double>(value);
  }
  return fields;
}

const Kernels& kernels_named(const std::string& isa) {
  const Kernels* kernels = find_kernels(isa.c_str());
  if (!kernels) throw std::invalid_argument("no kernels for instruction set " + isa);
  return *kernels;
}

}  // namespace se_hpo
