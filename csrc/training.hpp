// The inner loop: train one agent, then test it.
#pragma once

#include <atomic>

#include "job.hpp"

namespace se_hpo {

// Runs a job from start to end on this thread. If `stop` becomes true, returns early with
// a result that means nothing.
Result train_agent(const Job& job, const Kernels& kernels, const std::atomic<bool>& stop);

}  // namespace se_hpo
