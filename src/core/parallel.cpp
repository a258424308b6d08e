#include "core/parallel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/cores.h"
#include "core/denormals.h"
#include "core/error.h"

namespace fnet {
namespace {

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Longer than the gap between two steps of a forward pass, short enough not to burn a core while
// nobody calls, and to leave it soon to a thread that another program has pushed aside.
constexpr std::chrono::microseconds kSpinning(20);

/// What a worker is at. Whoever waits for a change of it says so before it sleeps.
enum Work : int { kIdle, kAsleep, kPosted, kWorking, kAwaited, kStop };

/// Waits while `work` is `old`: spins, then sleeps with `work` as `sleeping`, for wake().
int wait_while(std::atomic<int>& work, int old, int sleeping) {
  static const int spins = spins_in(kSpinning);
  for (int i = 0; i < spins; ++i) {
    if (const int now = work.load(std::memory_order_acquire); now != old) return now;
    pause_cpu();
  }
  int expected = old;
  if (!work.compare_exchange_strong(expected, sleeping)) return expected;
  work.wait(sleeping);
  return work.load();
}

void wake(std::atomic<int>& work, int next, int sleeping) {
  if (work.exchange(next) == sleeping) work.notify_one();
}

}  // namespace

int spins_in(std::chrono::nanoseconds time) {
  constexpr int kSteps = 200;
  auto best = std::chrono::nanoseconds::max();
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kSteps; ++i) pause_cpu();
    best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - start);
  }
  return static_cast<int>(time * kSteps / std::max(best, std::chrono::nanoseconds(kSteps)));
}

/// What the threads of a caller share.
struct Workers::Team {
  /// Indices of one thread, in a cache line of their own.
  struct alignas(64) Share {
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
  };
  struct Worker;

  std::vector<Share> shares;  // one a thread
  std::size_t size = 1;       // threads that it may have
  std::size_t active = 1;     // threads of the present call
  std::vector<Worker*> workers;
  std::uint64_t seen = 0;  // State::changes when it last took or gave back workers
  const std::function<void(std::size_t, int)>* task = nullptr;
  std::mutex mutex;
  std::exception_ptr error;

  void allow(std::size_t threads) {
    shares = std::vector<Share>(threads);
    workers.reserve(threads);
    size = threads;
  }

  void begin(std::size_t count, std::size_t threads,
             const std::function<void(std::size_t, int)>& what) {
    task = &what;
    error = nullptr;
    active = threads;
    const Split parts{count, threads};
    for (std::size_t t = 0; t < threads; ++t) {
      shares[t].next.store(parts.begin(t), std::memory_order_relaxed);
      shares[t].end = parts.begin(t + 1);
    }
  }

  void work(std::size_t own) {
    const DenormalsAreZero denormals;
    try {
      for (std::size_t i = 0; i < active; ++i) {
        Share& share = shares[(own + i) % active];
        // Read first: an addition would take the line from a neighbour that is done as well.
        while (share.next.load(std::memory_order_relaxed) < share.end) {
          const std::size_t index = share.next.fetch_add(1, std::memory_order_relaxed);
          if (index < share.end) (*task)(index, static_cast<int>(own));
        }
      }
    } catch (...) {
      for (std::size_t t = 0; t < active; ++t) {
        shares[t].next.store(shares[t].end, std::memory_order_relaxed);
      }
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }
};

struct alignas(64) Workers::Team::Worker {
  std::atomic<int> work{kIdle};
  Team* team = nullptr;  // of the work that is posted
  std::size_t index = 0;
  std::thread thread;

  void loop() {
    for (;;) {
      int now = wait_while(work, kIdle, kAsleep);
      if (now == kStop) return;
      // It may have been taken back meanwhile.
      if (now != kPosted || !work.compare_exchange_strong(now, kWorking)) continue;
      team->work(index);
      wake(work, kIdle, kAwaited);
    }
  }

  void post(Team& to, std::size_t thread_index) {
    team = &to;
    index = thread_index;
    wake(work, kPosted, kAsleep);
  }

  /// Waits for the end of posted work, or takes it back where it has not begun: a worker that gets
  /// no core need not be waited for, the others have done its part.
  void finish() {
    int posted = kPosted;
    if (work.compare_exchange_strong(posted, kIdle)) return;
    if (posted == kWorking) wait_while(work, kWorking, kAwaited);
  }
};

struct Workers::State {
  using Worker = Team::Worker;
  /// A caller that waits for its turn.
  struct Waiting {
    Team* team = nullptr;
    Waiting* next = nullptr;
    std::condition_variable ready;
  };

  const pid_t process = getpid();
  const std::size_t size;
  std::vector<Worker> workers;
  std::vector<Team> teams;

  std::mutex mutex;  // of all below
  std::vector<Worker*> idle;
  std::vector<Team*> free;
  Waiting* first = nullptr;
  Waiting** end = &first;
  std::atomic<std::uint64_t> changes{0};  // of idle and free

  explicit State(std::size_t threads) : size(threads), workers(threads - 1), teams(threads) {
    idle.reserve(workers.size());
    for (std::size_t i = workers.size(); i-- > 0;) idle.push_back(&workers[i]);
    free.reserve(teams.size());
    for (std::size_t i = teams.size(); i-- > 0;) {
      teams[i].allow(threads);
      free.push_back(&teams[i]);
    }
  }

  ~State() {
    for (Worker& worker : workers) {
      if (!worker.thread.joinable()) continue;
      wake(worker.work, kStop, kAsleep);
      worker.thread.join();
    }
  }

  void start() {
    std::size_t started = 0;
    try {
      for (; started < workers.size(); ++started) {
        Worker& worker = workers[started];
        worker.thread = std::thread([&worker] { worker.loop(); });
      }
    } catch (const std::system_error& error) {
      fail(Kind::system,
           "threads: expected to start {} beside the caller's, found room for {} ({}); ask for "
           "fewer threads, or raise the limit on a user's or container's processes",
           workers.size(), started, error.code().message());
    }
  }

  std::size_t callers() const { return size - free.size(); }
  /// Threads for each of as many callers as there are.
  std::size_t part() const { return (size + callers() - 1) / callers(); }

  Team& take_team() {
    require(getpid() == process, Kind::usage,
            "threads: expected a call in process {}, which started them, found one in process {}, "
            "forked off it without them; load the model after fork()",
            process, getpid());
    std::unique_lock lock(mutex);
    Team* team = nullptr;
    if (free.empty()) {
      Waiting me;
      *end = &me;
      end = &me.next;
      me.ready.wait(lock, [&] { return me.team != nullptr; });
      team = me.team;
    } else {
      team = free.back();
      free.pop_back();
      ++changes;
    }
    team->size = part();
    adjust(*team);
    return *team;
  }

  void give_back(Team& team) {
    const std::lock_guard lock(mutex);
    shrink(team, 1);
    if (first == nullptr) {
      free.push_back(&team);
    } else {
      Waiting& next = *first;
      first = next.next;
      if (first == nullptr) end = &first;
      next.team = &team;
      next.ready.notify_one();
    }
    ++changes;
  }

  /// Gives back or takes workers where callers have come or gone since the last time.
  void follow(Team& team) {
    if (team.seen == changes.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex);
    adjust(team);
  }

 private:
  void shrink(Team& team, std::size_t threads) {
    for (; team.workers.size() + 1 > threads; ++changes) {
      idle.push_back(team.workers.back());
      team.workers.pop_back();
    }
  }

  void adjust(Team& team) {
    shrink(team, part());
    // A caller may have come whose thread a worker still stands in for.
    const auto busy = [&] { return callers() + workers.size() - idle.size(); };
    while (team.workers.size() + 1 < std::min(team.size, part()) && busy() < size) {
      team.workers.push_back(idle.back());
      idle.pop_back();
    }
    team.seen = changes;
  }
};

Workers::Workers(int threads)
    : state_(std::make_unique<State>(
          static_cast<std::size_t>(threads > 0 ? threads : available_cores()))) {
  state_->start();
}

Workers::~Workers() {
  // A forked process has none of the threads: there is nothing to stop, and waiting would not end.
  if (getpid() != state_->process) (void)state_.release();
}

int Workers::size() const noexcept { return static_cast<int>(state_->size); }

ThreadPool::ThreadPool(int threads)
    : own_(std::make_unique<Workers>(threads)),
      shared_(own_->state_.get()),
      team_(&shared_->take_team()) {}

ThreadPool::ThreadPool(Workers& workers)
    : shared_(workers.state_.get()), team_(&shared_->take_team()) {}

ThreadPool::ThreadPool(int threads, Crew crew)
    : crew_team_(std::make_unique<Workers::Team>()),
      team_(crew_team_.get()),
      crew_(std::move(crew)) {
  team_->allow(static_cast<std::size_t>(threads));
}

ThreadPool::~ThreadPool() {
  if (shared_ != nullptr && own_ == nullptr) shared_->give_back(*team_);
}

int ThreadPool::size() const noexcept { return static_cast<int>(team_->size); }

int ThreadPool::place() const noexcept {
  return shared_ == nullptr ? 0 : static_cast<int>(team_ - shared_->teams.data());
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t, int)>& task) {
  if (count == 0) return;
  Workers::Team& team = *team_;
  if (shared_ != nullptr) shared_->follow(team);
  const std::size_t threads = std::min(count, crew_ ? team.size : team.workers.size() + 1);
  if (threads == 1) {
    const DenormalsAreZero denormals;
    for (std::size_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
  team.begin(count, threads, task);
  if (crew_) {
    crew_(static_cast<int>(threads),
          [&](int thread) { team.work(static_cast<std::size_t>(thread)); });
  } else {
    for (std::size_t i = 1; i < threads; ++i) team.workers[i - 1]->post(team, i);
    team.work(0);
    for (std::size_t i = 1; i < threads; ++i) team.workers[i - 1]->finish();
  }
  if (team.error) std::rethrow_exception(team.error);
}

}  // namespace fnet
