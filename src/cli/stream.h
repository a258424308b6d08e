#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>

#include "cli/command.h"
#include "tasks/example.h"

namespace fnet::cli {

/// The flags of a command that reads examples, and the loop over them.
struct InputFlags {
  std::filesystem::path path = "-";
  ReadOptions options;
  Columns columns;
  std::size_t batch_size = 64;  ///< examples that run at once, at most

  /// All flags but the file itself, which is a command's own.
  void declare(FlagSet& flags);

  /// The columns of data for a model: named texts, or numbers.
  Columns columns_for(const Engine& engine) const;

  /// How they are read.
  ReadOptions options_for(const Engine& engine) const;

  /// Hands out all examples of a file in order, batch by batch. They are read ahead on a thread of
  /// their own; a batch is what is there when it is asked for, so a person who types is answered
  /// line by line and a pipe is read in full batches. Memory is bounded, however long the input.
  ///
  /// `answer` throws Error (input) before it prints anything. Then the examples are given one by
  /// one: the bad one is counted where bad lines are skipped, else its error, with its place, is
  /// thrown. Returns how many bad lines were skipped.
  std::size_t for_each_batch(const Engine& engine, const Reading& reading,
                             const std::function<void(std::span<const Example>)>& answer) const;

 private:
  void warn_of_header(const Example& first) const;
};

}  // namespace fnet::cli
