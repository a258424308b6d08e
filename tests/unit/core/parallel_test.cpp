#include "core/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/error.h"
#include "temporary.h"

namespace fnet {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// ThreadSanitizer would end a child that starts threads.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }  // NOLINT

/// Of a child that ends within ten seconds; -1 of one that hangs, and is ended.
int exit_code_of(pid_t child) {
  for (int i = 0; i < 1000; ++i) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    std::this_thread::sleep_for(10ms);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

TEST(ThreadPool, runs_every_index_once_for_any_size) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const std::size_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> hits(count);
      pool.run(count, [&](std::size_t i, int thread) {
        EXPECT_LT(thread, threads);
        ++hits[i];
      });
      for (const auto& hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPool, gives_each_thread_its_own_part_first) {
  constexpr int kThreads = 3;
  ThreadPool pool(kThreads);
  for (int round = 0; round < 20; ++round) {
    std::array<std::atomic<int>, kThreads> owner;
    std::atomic<int> begun{0};
    pool.run(kThreads, [&](std::size_t i, int thread) {
      owner[i] = thread;
      ++begun;
      while (begun < kThreads) std::this_thread::yield();  // nobody is free to help
    });
    for (int i = 0; i < kThreads; ++i) EXPECT_EQ(owner[static_cast<std::size_t>(i)], i);
  }
}

TEST(ThreadPool, helps_with_what_others_have_left) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  pool.run(100, [&](std::size_t i, int) {
    if (i == 0) {  // its thread is held up until the other one has done the rest
      while (done < 99) std::this_thread::yield();
    } else {
      ++done;
    }
  });
  EXPECT_EQ(done, 99);
}

TEST(ThreadPool, runs_on_threads_of_another) {
  // A crew may have fewer threads than were asked for.
  ThreadPool pool(3, [](int threads, const auto& job) {
    EXPECT_EQ(threads, 3);
    for (int i = 0; i < threads; ++i) job(i);
  });
  EXPECT_EQ(pool.size(), 3);
  int sum = 0;
  pool.run(10, [&](std::size_t i, int) { sum += static_cast<int>(i); });
  EXPECT_EQ(sum, 45);
  EXPECT_THROW(pool.run(5, [](std::size_t, int) { throw std::runtime_error("no"); }),
               std::runtime_error);
}

TEST(ThreadPool, rethrows_the_first_exception_and_stays_usable) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.run(100,
                        [](std::size_t i, int) {
                          if (i == 7) throw std::runtime_error("seven");
                        }),
               std::runtime_error);
  std::atomic<int> sum{0};
  pool.run(10, [&](std::size_t, int) { ++sum; });
  EXPECT_EQ(sum, 10);
}

// Under ThreadSanitizer this is the test of the pool: plain writes of every thread must be visible
// to whoever called, whether the workers slept in between or not.
TEST(Workers, callers_at_once_see_what_their_tasks_wrote) {
  Workers workers(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 5; ++caller) {
    callers.emplace_back([&, caller] {
      std::vector<std::size_t> written(50);
      for (std::size_t round = 1; round <= 100; ++round) {
        ThreadPool pool(workers);
        for (int step = 0; step < 3; ++step) {
          pool.run(written.size(), [&](std::size_t i, int thread) {
            written[i] += i + round;
            wrong += thread >= pool.size();
          });
        }
        for (std::size_t i = 0; i < written.size(); ++i) {
          wrong += written[i] != 3 * (i * round + round * (round + 1) / 2);
        }
        if (caller == 0 && round % 20 == 0) std::this_thread::sleep_for(1ms);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Workers, a_caller_alone_has_all_and_several_have_equal_parts) {
  Workers workers(4);
  EXPECT_EQ(workers.size(), 4);
  for (int round = 0; round < 2; ++round) {
    ThreadPool alone(workers);
    EXPECT_EQ(alone.size(), 4);
    EXPECT_EQ(alone.place(), 0);
  }
  ThreadPool first(workers);
  ThreadPool second(workers);
  ThreadPool third(workers);
  EXPECT_EQ(second.size(), 2);
  EXPECT_EQ(third.size(), 2);
  const std::set<int> places = {first.place(), second.place(), third.place()};
  EXPECT_EQ(places, (std::set{0, 1, 2}));
}

/// How many threads a pool computes with: tasks wait until `expected` have met, and then a little
/// for more of them.
std::size_t threads_at_work(ThreadPool& pool, std::size_t expected) {
  std::mutex mutex;
  std::condition_variable met;
  std::set<std::thread::id> seen;
  pool.run(40, [&](std::size_t, int) {
    std::unique_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
    met.notify_all();
    met.wait_for(lock, 2s, [&] { return seen.size() >= expected; });
    lock.unlock();
    std::this_thread::sleep_for(1ms);
  });
  return seen.size();
}

TEST(Workers, a_caller_gives_workers_to_one_who_comes_and_takes_them_back) {
  Workers workers(4);
  ThreadPool first(workers);
  EXPECT_EQ(threads_at_work(first, 4), 4U);
  {
    ThreadPool second(workers);
    EXPECT_EQ(threads_at_work(second, 1), 1U) << "the first one still has the others";
    EXPECT_EQ(threads_at_work(first, 2), 2U);
    EXPECT_EQ(threads_at_work(second, 2), 2U);
  }
  EXPECT_EQ(threads_at_work(first, 4), 4U);
}

TEST(Workers, passes_run_side_by_side) {
  Workers workers(2);
  std::atomic<int> inside{0};
  const auto meet = [&] {
    ThreadPool pool(workers);
    pool.run(1, [&](std::size_t, int) {
      ++inside;
      while (inside < 2) std::this_thread::yield();  // no end, did one wait for the other
    });
  };
  std::thread other(meet);
  meet();
  other.join();
}

TEST(Workers, who_is_one_too_many_waits_first_come_first_served) {
  Workers workers(1);
  auto running = std::make_unique<ThreadPool>(workers);
  std::vector<int> order;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    std::atomic<bool> begun{false};
    callers.emplace_back([&workers, &order, &begun, caller] {
      begun = true;
      const ThreadPool pool(workers);
      order.push_back(caller);  // one at a time: there is one thread for all
    });
    while (!begun) std::this_thread::yield();
    std::this_thread::sleep_for(20ms);  // it is waiting by now
  }
  EXPECT_TRUE(order.empty());
  running.reset();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
}

// A worker that gets no core in time must not hold up the caller, who has done its part.
TEST(ThreadPool, does_not_wait_for_a_worker_that_has_not_begun) {
  ThreadPool pool(2);
  // The child has no workers at all, as if none ever got a core.
  const pid_t child = fork();
  if (child == 0) {
    int done = 0;
    pool.run(100, [&](std::size_t, int) { ++done; });
    _exit(done == 100 ? 0 : 1);
  }
  EXPECT_EQ(exit_code_of(child), 0);
}

TEST(Workers, after_fork_a_call_says_why_not_and_nothing_hangs) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer ends a forked child that starts threads";
#endif
  Workers workers(3);
  {
    ThreadPool(workers).run(100, [](std::size_t, int) {});
  }
  const pid_t child = fork();
  if (child == 0) {
    auto mine = std::make_unique<Workers>(2);  // a process may start its own
    int failed = 0;
    {
      ThreadPool pool(*mine);
      std::atomic<int> done{0};
      pool.run(100, [&](std::size_t, int) { ++done; });
      failed += done != 100;
    }
    const std::string message = message_of([&] { ThreadPool pool(workers); });
    failed += message.find("after fork()") == std::string::npos;
    workers.~Workers();
    _exit(failed);
  }
  EXPECT_EQ(exit_code_of(child), 0);
  EXPECT_EQ(ThreadPool(workers).size(), 3) << "nothing happened to the parent";
}

TEST(Workers, threads_that_cannot_be_had_are_an_error_that_says_how_many) {
  // Room for the stacks of two threads beside what is there.
  pthread_attr_t old, large;
  ASSERT_EQ(pthread_getattr_default_np(&old), 0);
  ASSERT_EQ(pthread_getattr_default_np(&large), 0);
  constexpr std::size_t kStack = std::size_t{512} << 20;
  ASSERT_EQ(pthread_attr_setstacksize(&large, kStack), 0);
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  rlimit low = limit;
  low.rlim_cur = pages * static_cast<std::size_t>(getpagesize()) + 2 * kStack + kStack / 2;
  ASSERT_EQ(pthread_setattr_default_np(&large), 0);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &low), 0);
  const auto start = [] { const Workers workers(8); };
  EXPECT_EQ(error_of(start).kind(), Error::Kind::system);
  EXPECT_THAT(message_of(start), HasSubstr("expected to start 7 beside the caller's, found room "
                                           "for 2 ("));
  EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  EXPECT_EQ(pthread_setattr_default_np(&old), 0);
  EXPECT_EQ(message_of(start), "no error");
}

TEST(ThreadPool, denormals_are_zero_in_its_tasks_and_nowhere_else) {
  const auto halved = [] {
    volatile float smallest = std::numeric_limits<float>::min();
    smallest = smallest / 2;
    return static_cast<float>(smallest);
  };
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<float> found(30, 1.0F);
    pool.run(found.size(), [&](std::size_t i, int) { found[i] = halved(); });
    EXPECT_EQ(std::ranges::count(found, 0.0F), 30) << threads;
    EXPECT_GT(halved(), 0.0F) << "the caller's own arithmetic is as it was";
  }
}

}  // namespace
}  // namespace fnet
