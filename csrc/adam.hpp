// Adam's state (Kingma & Ba 2015; beta 0.9 and 0.999), with Polyak averaging.
#pragma once

#include <cmath>
#include <cstdint>

#include "buffer.hpp"
#include "kernels/kernels.hpp"

namespace se_hpo {

class Adam {
 public:
  Adam(const Kernels& kernels, std::size_t n, double lr, double tau, double epsilon = 1e-8)
      : kernels_(kernels), lr_(lr), tau_(tau), epsilon_(epsilon), m_(n), v_(n) {}

  // parameters -= ...; target += tau (parameters - target).
  void step(Buffer& parameters, Buffer& target, const Buffer& gradient) {
    const AdamStep step = next();
    kernels_.adam_polyak(parameters.data(), target.data(), m_.data(), v_.data(),
                         gradient.data(), parameters.padded_size(), step);
  }

  // parameters -= ..., no target.
  void step(Buffer& parameters, const Buffer& gradient) {
    const AdamStep step = next();
    kernels_.adam(parameters.data(), m_.data(), v_.data(), gradient.data(),
                  parameters.padded_size(), step);
  }

 private:
  AdamStep next() {
    beta1_power_ *= 0.9;
    beta2_power_ *= 0.999;
    return {static_cast<float>(lr_ / (1 - beta1_power_)),
            static_cast<float>(1 / std::sqrt(1 - beta2_power_)), static_cast<float>(tau_),
            static_cast<float>(epsilon_)};
  }

  const Kernels& kernels_;
  double lr_, tau_, epsilon_, beta1_power_ = 1, beta2_power_ = 1;
  Buffer m_, v_;
};

}  // namespace se_hpo
