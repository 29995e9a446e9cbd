// What synthetic environments with learned initial states have in common (Liesen et al. 2024,
// arXiv 2406.12589).
#pragma once

#include <algorithm>
#include <vector>

#include "../random.hpp"
#include "environment.hpp"
#include "single_mlp.hpp"

namespace se_hpo {

// Initial states: a network of z ~ N(0, I), drawn for several episodes at a time.
class LearnedStart {
 public:
  LearnedStart(const Kernels& kernels, const Learned& learned, int obs_size, Random random,
               const float*& psi)
      : kernels_(kernels),
        obs_size_(obs_size),
        random_(random),
        net_(kernels, learned.config, learned.nets[0], 0, psi),
        noise_(std::size_t(obs_size) * kEpisodes) {}

  void operator()(float* state) {
    if (left_ == 0) {
      random_.uniform(noise_.data(), noise_.size());
      kernels_.normal_noise(noise_.data(), noise_.size());
      left_ = kEpisodes;
    }
    net_(0, noise_.data() + std::size_t(--left_) * obs_size_, state);
  }

 private:
  static constexpr int kEpisodes = 64;  // whole vectors, whatever the observation's size

  const Kernels& kernels_;
  const int obs_size_;
  Random random_;
  SingleMlp net_;
  Buffer noise_;
  int left_ = 0;
};

// A network of action and state: the action one-hot, or where it is continuous as it is.
class ActionNet {
 public:
  ActionNet(const Kernels& kernels, const Learned& learned, int which, const TaskSpec& spec,
            const float*& psi)
      : obs_size_(spec.obs_size),
        n_numbers_(spec.continuous ? spec.n_actions : 0),
        net_(kernels, learned.config, learned.nets[which], spec.continuous ? 0 : spec.n_actions,
             psi),
        input_(n_numbers_ + obs_size_) {}

  void operator()(Action action, const float* state, float* out) {
    std::copy(action.values, action.values + n_numbers_, input_.data());
    std::copy(state, state + obs_size_, input_.data() + n_numbers_);
    net_(action.index, input_.data(), out);
  }

 private:
  const int obs_size_, n_numbers_;
  SingleMlp net_;
  Buffer input_;
};

}  // namespace se_hpo
