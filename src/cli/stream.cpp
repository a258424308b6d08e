#include "cli/stream.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "core/error.h"

namespace fnet::cli {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;    // of one batch's texts: bounds its tokens
constexpr std::size_t kAheadBytes = 1024 * 1024;  // of what is read ahead

std::size_t bytes_of(const Example& example) {
  std::size_t bytes = 64 + sizeof(float) * example.numbers.data.size();
  for (const std::string& text : example.texts) bytes += text.size();
  for (const auto* words : {&example.words, &example.truth}) {
    for (const std::string& word : *words) bytes += 32 + word.size();
  }
  return bytes;
}

/// A queue between the reading thread and the caller. The thread may be stuck in a read when the
/// program wants to end, so it is detached and shares ownership.
class ReadAhead : public std::enable_shared_from_this<ReadAhead> {
 public:
  explicit ReadAhead(ExampleReader reader) : reader_(std::move(reader)) {}

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

  const std::string& name() const { return reader_.name(); }

  /// After the end.
  std::size_t skipped() const { return reader_.skipped(); }
  std::size_t cut() const { return reader_.cut(); }

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

  ExampleReader reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Example> queue_;
  std::size_t ahead_ = 0;  // bytes in the queue
  bool done_ = false;
  std::exception_ptr error_;
};

}  // namespace

/// What stands in front of a table that is read as plain text is its header.
void InputFlags::warn_of_header(const Example& first) const {
  if (path != "-" || !options.format.empty() || first.texts.empty()) return;
  const std::string line = '\t' + first.texts[0] + '\t';
  if (line.find('\t' + columns.text + '\t') == line.npos || first.texts[0] == columns.text) return;
  log_warning(
      "standard input: read as plain text, though its first line looks like the header of a table, "
      "which --input-format tsv reads");
}

void InputFlags::declare(FlagSet& flags) {
  flags.add("--batch-size", &batch_size, "texts that run at once", {.range = Range{1, 65536}});
  add_data(flags, options, columns);
}

Columns InputFlags::columns_for(const Engine& engine) const {
  Columns out = columns;
  out.numbers = engine.config().reads_numbers();
  return out;
}

ReadOptions InputFlags::options_for(const Engine& engine) const {
  ReadOptions out = options;
  out.numbers = engine.config().reads_numbers();
  out.label_column = columns.label;
  return out;
}

std::size_t InputFlags::for_each_batch(
    const Engine& engine, const Reading& reading,
    const std::function<void(std::span<const Example>)>& answer) const {
  const bool full = engine.config().lengths().kind == LengthPolicy::Kind::batch;
  const auto ahead =
      std::make_shared<ReadAhead>(ExampleReader(DataReader(path, options_for(engine)), reading));
  ahead->start();
  std::size_t bad = 0;
  bool first = true;
  for (;;) {
    const std::vector<Example> batch = ahead->next(batch_size, full);
    if (batch.empty()) break;
    if (std::exchange(first, false)) warn_of_header(batch[0]);
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
          throw error.within(fmt::format("{}:{}", ahead->name(), example.line));
        }
        ++bad;
      }
    }
  }
  bad += ahead->skipped();
  warn_of_skipped(ahead->name(), bad);
  if (ahead->cut() > 0) {
    log_warning("{}: {} lines of more than {} bytes cut there", ahead->name(), ahead->cut(),
                options.max_bytes);
  }
  return bad;
}

}  // namespace fnet::cli
