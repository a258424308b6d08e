#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace fnet {

/// A fixed set of worker threads that share index ranges. Cheap to call again and again: workers
/// spin for a short while before they sleep.
///
/// What a task computes must not depend on which thread runs it or on how many there are.
class ThreadPool {
 public:
  /// `threads` in all, the caller's included; 0 means one for each core the process may use.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept;

  /// Runs task(index, thread) for every index in [0, count), thread in [0, size()), and returns
  /// when all are done. Indices are handed out one by one, in order. The first exception is
  /// rethrown here. One call at a time: a second caller waits. Not to be called from inside a task.
  void run(std::size_t count, const std::function<void(std::size_t index, int thread)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fnet
