// One Engine and many callers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "fnet/engine.h"
#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;
using namespace testing_models;

/// ThreadSanitizer would end a child that starts threads.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }  // NOLINT

Engine engine_of(int threads) {
  EngineOptions options;
  options.threads = threads;
  Config config = small_config();
  config.pooling = "mean";
  return Engine(config, lively_weights(), options);
}

// Under ThreadSanitizer this is the test of passes side by side.
TEST(Concurrency, callers_at_once_get_the_bytes_of_a_caller_alone) {
  const Engine alone = engine_of(1);
  const auto texts = random_encodings(24, 60, alone.config(), 5);
  std::vector<Matrix> hidden, pooled;
  for (const Encoding& text : texts) {
    hidden.push_back(alone.forward(std::span(&text, 1)).front());
    pooled.push_back(alone.embed(std::span(&text, 1)));
  }
  for (const int threads : {1, 2, 3}) {
    const Engine engine = engine_of(threads);
    std::atomic<std::size_t> different{0};
    std::vector<std::thread> callers;
    for (std::size_t caller = 0; caller < 6; ++caller) {
      callers.emplace_back([&, caller] {
        for (std::size_t round = 0; round < 12; ++round) {
          // From one text to all of them, in one pass or in several at once.
          const std::size_t first = (caller * 5 + round) % texts.size();
          const std::size_t count = std::min(1 + (caller * round) % 9, texts.size() - first);
          const auto some = std::span(texts).subspan(first, count);
          const auto rows = engine.forward(some);
          const Matrix vectors = engine.embed(some);
          for (std::size_t i = 0; i < count; ++i) {
            different += rows[i].data != hidden[first + i].data;
            different += !std::ranges::equal(vectors.row(i), pooled[first + i].row(0));
          }
          (void)engine.workspace_bytes();
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(different, 0U) << threads;
    EXPECT_GT(engine.workspace_bytes(), 0U);
  }
}

TEST(Concurrency, an_error_of_one_caller_leaves_the_others_their_turn) {
  const Engine engine = engine_of(2);
  const auto texts = random_encodings(4, 60, engine.config(), 6);
  Encoding bad = texts[0];
  bad.input_ids[0] = -1;
  std::atomic<int> errors{0}, answers{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 10; ++round) {
        if (caller % 2 == 0) {
          errors += message_of([&] { engine.embed(std::span(&bad, 1)); }) != "no error";
        } else {
          answers += engine.embed(texts).rows == texts.size();
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(errors, 30);
  EXPECT_EQ(answers, 30);
}

TEST(Concurrency, after_fork_an_engine_says_why_not_and_a_new_one_works) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer ends a forked child that starts threads";
#endif
  auto engine = std::make_unique<Engine>(engine_of(3));
  const auto texts = random_encodings(3, 60, engine->config(), 7);
  const Matrix before = engine->embed(texts);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // ends a child that hangs
    const std::string message = message_of([&] { engine->embed(texts); });
    const bool same = engine_of(2).embed(texts).data == before.data;
    engine.reset();
    _exit(message.find("after fork()") == std::string::npos ? 1 : same ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(engine->embed(texts).data, before.data) << "nothing happened to the parent";
}

}  // namespace
}  // namespace fnet
