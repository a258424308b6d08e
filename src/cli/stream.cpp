#include "cli/stream.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include "core/error.h"

namespace fnet::cli {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;    // of one batch's texts: bounds its tokens
constexpr std::size_t kAheadBytes = 1024 * 1024;  // of what is read ahead

std::size_t bytes_of(const Example& example) {
  std::size_t bytes =
      64 + example.text.size() + (example.text_pair ? example.text_pair->size() : 0);
  for (const auto* words : {&example.tokens, &example.tags}) {
    for (const std::string& word : *words) bytes += 32 + word.size();
  }
  return bytes;
}

/// A queue between the reading thread and the caller. The thread may be stuck in a read when the
/// program wants to end, so it is detached and shares ownership.
class ReadAhead : public std::enable_shared_from_this<ReadAhead> {
 public:
  explicit ReadAhead(DataReader reader) : reader_(std::move(reader)) {}

  void start() {
    std::thread([self = shared_from_this()] { self->read(); }).detach();
  }

  /// The next batch; empty at the end. `full`: waits until no more fits, so that the batches depend
  /// on the input alone.
  std::vector<Example> next(std::size_t limit, bool full) {
    std::vector<Example> batch;
    std::size_t bytes = 0;
    std::unique_lock lock(mutex_);
    while (batch.size() < limit && bytes < kBatchBytes) {
      if (queue_.empty() && !batch.empty() && !full) break;
      changed_.wait(lock, [&] { return !queue_.empty() || done_; });
      if (queue_.empty()) break;
      bytes += bytes_of(queue_.front());
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    ahead_ -= bytes;
    changed_.notify_all();
    if (batch.empty() && error_) std::rethrow_exception(error_);
    return batch;
  }

  /// After the end.
  std::size_t skipped() const { return reader_.skipped(); }

 private:
  void read() {
    try {
      for (Example example; reader_.next(example); example = Example()) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return ahead_ < kAheadBytes; });
        ahead_ += bytes_of(example);
        queue_.push_back(std::move(example));
        changed_.notify_all();
      }
    } catch (...) {
      error_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

  DataReader reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Example> queue_;
  std::size_t ahead_ = 0;  // bytes in the queue
  bool done_ = false;
  std::exception_ptr error_;
};

}  // namespace

void InputFlags::declare(CLI::App& app) {
  const auto formats = data_formats();
  app.add_option("--input-format", options.format,
                 "format of the data; without it the file's extension tells")
      ->check(one_of({formats.begin(), formats.end()}));
  app.add_option("--text-column", options.text_column, "name of the texts' column")
      ->capture_default_str();
  app.add_option("--text-pair-column", options.text_pair_column, "name of the pairs' column")
      ->capture_default_str();
  app.add_flag("--skip-bad-lines", options.skip_bad_lines, "count bad lines instead of stopping");
  app.add_option("--batch-size", batch_size, "texts that run at once")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

std::size_t InputFlags::for_each_batch(
    const Engine& engine, const std::function<void(std::span<const Example>)>& answer) const {
  const bool full = engine.config().lengths().kind == LengthPolicy::Kind::batch;
  const auto ahead = std::make_shared<ReadAhead>(DataReader(path, options));
  ahead->start();
  std::size_t bad = 0;
  for (;;) {
    const std::vector<Example> batch = ahead->next(batch_size, full);
    if (batch.empty()) break;
    try {
      answer(batch);
      continue;
    } catch (const Error& error) {
      if (error.kind() != Kind::input) throw;
    }
    for (const Example& example : batch) {
      try {
        answer({&example, 1});
      } catch (const Error& error) {
        if (error.kind() != Kind::input) throw;
        if (!options.skip_bad_lines) {
          throw error.within(
              fmt::format("{}:{}", path == "-" ? "standard input" : path.string(), example.line));
        }
        ++bad;
      }
    }
  }
  bad += ahead->skipped();
  if (bad > 0) spdlog::warn("{}: {} bad lines skipped", path.string(), bad);
  return bad;
}

TextInput text_of(const Example& example) {
  require(example.tokens.empty(), Kind::input, "expected a text, found words with tags");
  return {example.text, example.text_pair};
}

std::vector<std::string> words_of(const Example& example) {
  if (!example.tokens.empty()) return example.tokens;
  std::istringstream text(example.text);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

std::vector<TextInput> texts_of(std::span<const Example> batch) {
  std::vector<TextInput> texts;
  for (const Example& example : batch) texts.push_back(text_of(example));
  return texts;
}

std::vector<std::vector<std::string>> sentences_of(std::span<const Example> batch) {
  std::vector<std::vector<std::string>> sentences;
  for (const Example& example : batch) sentences.push_back(words_of(example));
  return sentences;
}

}  // namespace fnet::cli
