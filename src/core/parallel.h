#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>

namespace fnet {

/// Indices, or rows, in parts of nearly equal size.
struct Split {
  std::size_t total, parts;
  std::size_t begin(std::size_t part) const {
    return total / parts * part + std::min(part, total % parts);
  }
  std::size_t size(std::size_t part) const { return begin(part + 1) - begin(part); }
  std::size_t largest() const { return (total + parts - 1) / parts; }
};

/// A fixed set of worker threads that share index ranges. Cheap to call again and again: workers
/// spin for a short while before they sleep.
///
/// What a task computes must not depend on which thread runs it or on how many there are.
class ThreadPool {
 public:
  /// `threads` in all, the caller's included; 0 means one for each core the process may use.
  explicit ThreadPool(int threads = 0);
  /// Runs a job once on each of `threads` threads of another library, or several times on fewer:
  /// two sets of threads in one program would take each other's cores.
  using Crew = std::function<void(int threads, const std::function<void(int thread)>& job)>;
  /// A pool that is not one: its work runs on `threads` threads of `crew`. Cheap to make.
  ThreadPool(int threads, Crew crew);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept;

  /// Runs task(index, thread) for every index in [0, count), thread in [0, size()), and returns
  /// when all are done. Thread t takes part t of Split{count, size()}, in order, then what is left
  /// of the others': calls that cut the same data alike find it in the same core's
  /// cache. The first exception is rethrown here. One call at a time: a second caller waits. Not to
  /// be called from inside a task.
  void run(std::size_t count, const std::function<void(std::size_t index, int thread)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fnet
