// Jobs spread over threads; every job is one sequential program on one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "job.hpp"

namespace se_hpo {

// Runs all jobs and returns their results in order, whatever the number of threads.
// `keep_going` is called on the calling thread every few milliseconds, with how many
// jobs are done; if it returns false the jobs are abandoned and the result is empty. An
// exception in a job ends all of them and is rethrown.
std::vector<Result> run_jobs(const std::vector<Job>& jobs, int n_threads, const Kernels& kernels,
                             const std::function<bool(std::size_t)>& keep_going);

// The processor's "treat denormals as zero" for this thread and lifetime: they would
// slow Adam's decayed moments down a hundredfold.
class FlushDenormals {
 public:
  explicit FlushDenormals(bool on = true);
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned long long before_;
};

}  // namespace se_hpo
