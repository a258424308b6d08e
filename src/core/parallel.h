#pragma once

#include <algorithm>
#include <chrono>
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

/// How many steps of a loop that waits take about this long here: a CPU pauses for 5 to 150 cycles.
int spins_in(std::chrono::nanoseconds time);

/// Worker threads that callers share. Each caller runs on a ThreadPool of its own, made of a part
/// of them; what several callers do at once needs no lock between them.
class Workers {
 public:
  /// `threads` in all, a caller's own included; 0 means available_cores(). Throws: system where
  /// they cannot be had.
  explicit Workers(int threads = 0);
  /// When no ThreadPool of them is left.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int size() const noexcept;

 private:
  friend class ThreadPool;
  struct Team;
  struct State;
  std::unique_ptr<State> state_;
};

/// The threads of one caller, which share index ranges. Cheap to call again and again: they spin
/// for a short while before they sleep.
///
/// What a task computes must not depend on which thread runs it or on how many there are.
class ThreadPool {
 public:
  /// Threads of its own: see Workers.
  explicit ThreadPool(int threads = 0);
  /// A share of the workers, for as long as it lives: all of them for a caller alone, equal parts
  /// for several, down to just the caller's thread. It gives some back at its next call of `run`
  /// where others have come, and takes more where they have left. There are at most workers.size()
  /// at once; who is one too many waits here, first come, first served. Takes no memory. Throws:
  /// usage in a process that was forked off the one with the workers.
  explicit ThreadPool(Workers& workers);
  /// Runs a job once on each of `threads` threads of another library, or several times on fewer:
  /// two sets of threads in one program would take each other's cores.
  using Crew = std::function<void(int threads, const std::function<void(int thread)>& job)>;
  /// A pool that is not one: its work runs on `threads` threads of `crew`. Cheap to make.
  ThreadPool(int threads, Crew crew);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// As many as it had at first, and never more.
  int size() const noexcept;
  /// Below the workers' size(), and of no other ThreadPool of the same workers at the same time.
  int place() const noexcept;

  /// Runs task(index, thread) for every index in [0, count), thread in [0, size()), and returns
  /// when all are done. Of n threads, thread t takes part t of Split{count, n}, in order, then what
  /// is left of the others': calls that cut the same data alike find it in the same core's cache.
  /// Denormals are zero in a task. The first exception is rethrown here. One call at a time. Not to
  /// be called from inside a task.
  void run(std::size_t count, const std::function<void(std::size_t index, int thread)>& task);

 private:
  std::unique_ptr<Workers> own_;
  Workers::State* shared_ = nullptr;
  std::unique_ptr<Workers::Team> crew_team_;
  Workers::Team* team_ = nullptr;
  Crew crew_;
};

}  // namespace fnet
