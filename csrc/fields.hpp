// The fields of a configuration by name; each agent and environment reads its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "kernels/kernels.hpp"

namespace se_hpo {

struct Fields {
  std::map<std::string, std::variant<bool, std::int64_t, double, std::string>> values;

  // These raise std::invalid_argument where a number is larger than `most`.
  std::int64_t integer(const char* name, std::int64_t most = std::int64_t(1) << 53) const;
  int size(const char* name, int most) const { return static_cast<int>(integer(name, most)); }

  double real(const char* name) const;
  bool flag(const char* name) const { return std::get<bool>(values.at(name)); }
  const std::string& text(const char* name) const {
    return std::get<std::string>(values.at(name));
  }
  Activation activation() const;
};

Activation activation_named(const std::string& name);

}  // namespace se_hpo
