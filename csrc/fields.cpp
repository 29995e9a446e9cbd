#include "fields.hpp"

#include <stdexcept>

namespace se_hpo {

std::int64_t Fields::integer(const char* name, std::int64_t most) const {
  const std::int64_t* value = std::get_if<std::int64_t>(&values.at(name));
  if (!value || *value > most)  // no int64: too large for one
    throw std::invalid_argument(std::string(name) + " must be <= " + std::to_string(most));
  return *value;
}

double Fields::real(const char* name) const {
  const auto& value = values.at(name);
  const std::int64_t* whole = std::get_if<std::int64_t>(&value);
  return whole ? double(*whole) : std::get<double>(value);
}

Activation Fields::activation() const { return activation_named(text("activation")); }

Activation activation_named(const std::string& name) {
  static const std::map<std::string, Activation> names = {
      {"tanh", Activation::kTanh},
      {"relu", Activation::kRelu},
      {"leaky_relu", Activation::kLeakyRelu},
      {"prelu", Activation::kPrelu},
  };
  return names.at(name);
}

}  // namespace se_hpo
