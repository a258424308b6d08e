#include "core/parallel.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace fnet {
namespace {

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
TEST(ThreadPool, callers_take_turns_and_see_what_their_tasks_wrote) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 2; ++caller) {
    callers.emplace_back([&, caller] {
      std::vector<std::size_t> written(50);
      for (std::size_t round = 1; round <= 100; ++round) {
        pool.run(written.size(), [&](std::size_t i, int) { written[i] += i + round; });
        for (std::size_t i = 0; i < written.size(); ++i) {
          wrong += written[i] != i * round + round * (round + 1) / 2;
        }
        if (caller == 0 && round % 20 == 0)
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace fnet
