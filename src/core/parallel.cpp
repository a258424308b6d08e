#include "core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace fnet {
namespace {

int available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// About 50 µs: longer than the gap between two steps of a forward pass, short enough not to burn a
// core while nobody calls.
constexpr int kSpins = 2000;

}  // namespace

struct ThreadPool::State {
  /// Indices of one thread, in a cache line of their own.
  struct alignas(64) Share {
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
  };

  std::mutex caller;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<std::uint64_t> generation{0};
  std::atomic<bool> stop{false};
  std::atomic<int> busy{0};
  std::vector<Share> shares;  // one a thread
  const std::function<void(std::size_t, int)>* task = nullptr;
  std::exception_ptr error;
  std::vector<std::thread> threads;
  Crew crew;

  explicit State(int size, Crew lent = nullptr)
      : shares(static_cast<std::size_t>(size)), crew(std::move(lent)) {}

  void share_out(std::size_t count) {
    const Split parts{count, shares.size()};
    for (std::size_t t = 0; t < shares.size(); ++t) {
      shares[t].next.store(parts.begin(t), std::memory_order_relaxed);
      shares[t].end = parts.begin(t + 1);
    }
  }

  void work(int thread) {
    const auto own = static_cast<std::size_t>(thread);
    try {
      for (std::size_t i = 0; i < shares.size(); ++i) {
        Share& share = shares[(own + i) % shares.size()];
        // Read first: an addition would take the line from a neighbour that is done as well.
        while (share.next.load(std::memory_order_relaxed) < share.end) {
          const std::size_t index = share.next.fetch_add(1, std::memory_order_relaxed);
          if (index < share.end) (*task)(index, thread);
        }
      }
    } catch (...) {
      for (Share& share : shares) share.next.store(share.end, std::memory_order_relaxed);
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }

  void loop(int thread) {
    std::uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen; ++i) {
        pause_cpu();
      }
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load() != seen; });
      }
      if (stop.load()) return;
      seen = generation.load(std::memory_order_acquire);
      work(thread);
      busy.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(int threads)
    : state_(std::make_unique<State>(threads > 0 ? threads : available_cores())) {
  for (int i = 1; i < size(); ++i) state_->threads.emplace_back([this, i] { state_->loop(i); });
}

ThreadPool::ThreadPool(int threads, Crew crew)
    : state_(std::make_unique<State>(threads, std::move(crew))) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->generation.fetch_add(1);
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

int ThreadPool::size() const noexcept { return static_cast<int>(state_->shares.size()); }

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t, int)>& task) {
  if (count == 0) return;
  const std::lock_guard calling(state_->caller);
  State& s = *state_;
  if (size() == 1 || count == 1) {
    for (std::size_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
  s.task = &task;
  s.error = nullptr;
  s.share_out(count);
  if (s.crew) {
    s.crew(size(), [&](int thread) { s.work(thread); });
    if (s.error) std::rethrow_exception(s.error);
    return;
  }
  s.busy.store(static_cast<int>(s.threads.size()));
  {
    const std::lock_guard lock(s.mutex);
    s.generation.fetch_add(1, std::memory_order_release);
  }
  s.wake.notify_all();
  s.work(0);
  for (int i = 1; s.busy.load(std::memory_order_acquire) != 0; ++i) {
    pause_cpu();
    // A worker may be waiting for this very core.
    if (i % kSpins == 0) sched_yield();
  }
  if (s.error) std::rethrow_exception(s.error);
}

}  // namespace fnet
