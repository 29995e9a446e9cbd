#include "pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "agents/agent.hpp"
#include "training.hpp"

namespace se_hpo {

#if defined(__x86_64__)
FlushDenormals::FlushDenormals(bool on) : before_(_mm_getcsr()) {
  constexpr unsigned kFlush = 0x8040;  // FTZ and DAZ
  const unsigned now = static_cast<unsigned>(before_);
  _mm_setcsr(on ? now | kFlush : now & ~kFlush);
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(static_cast<unsigned>(before_)); }
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals(bool on) {
  constexpr unsigned long long kFlush = 1ull << 24;  // FPCR.FZ
  asm volatile("mrs %0, fpcr" : "=r"(before_));
  asm volatile("msr fpcr, %0" : : "r"(on ? before_ | kFlush : before_ & ~kFlush));
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
#else
FlushDenormals::FlushDenormals(bool) : before_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

namespace {

class Pool {
 public:
  Pool(const std::vector<Job>& jobs, const Kernels& kernels)
      : jobs_(jobs), kernels_(kernels), order_(jobs.size()), results_(jobs.size()) {
    std::vector<double> cost;  // the longest jobs start first
    for (const Job& job : jobs)
      cost.push_back(agents().at(job.agent.text("algorithm"))
                         .cost(job.agent, job.task.obs_size, job.task.n_actions));
    std::iota(order_.begin(), order_.end(), std::size_t(0));
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
  }

  std::vector<Result> run(int n_threads, const std::function<bool(std::size_t)>& keep_going) {
    std::vector<std::thread> threads;
    const std::size_t n = std::min<std::size_t>(std::max(n_threads, 1), jobs_.size());
    running_ = n;
    try {
      while (threads.size() < n) threads.emplace_back([this] { work(); });
      wait(keep_going);
    } catch (...) {  // no more threads to be had
      stop_ = true;
      for (std::thread& thread : threads) thread.join();
      throw;
    }
    for (std::thread& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    if (stop_) return {};
    return std::move(results_);
  }

 private:
  void work() {
    const FlushDenormals flush;
    try {
      for (std::size_t i; !stop_ && (i = taken_++) < order_.size(); ++trained_)
        results_[order_[i]] = train_agent(jobs_[order_[i]], kernels_, stop_);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
      stop_ = true;
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      --running_;
    }
    done_.notify_one();
  }

  void wait(const std::function<bool(std::size_t)>& keep_going) {
    constexpr std::chrono::milliseconds kPoll{20};
    std::unique_lock<std::mutex> lock(mutex_);
    while (!done_.wait_for(lock, kPoll, [this] { return running_ == 0; })) {
      lock.unlock();
      if (!keep_going(trained_)) stop_ = true;
      lock.lock();
    }
  }

  const std::vector<Job>& jobs_;
  const Kernels& kernels_;
  std::vector<std::size_t> order_;
  std::vector<Result> results_;
  std::atomic<std::size_t> taken_{0};
  std::atomic<std::size_t> trained_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t running_ = 0;
  std::exception_ptr error_;
};

}  // namespace

std::vector<Result> run_jobs(const std::vector<Job>& jobs, int n_threads, const Kernels& kernels,
                             const std::function<bool(std::size_t)>& keep_going) {
  if (jobs.empty()) return {};
  return Pool(jobs, kernels).run(n_threads, keep_going);
}

}  // namespace se_hpo
