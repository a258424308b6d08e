#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/flags.h"
#include "fnet/types.h"
#include "model/kinds.h"
#include "text/data.h"

// Flags that several commands of fnet and fnet-train have, each declared here and nowhere else.
namespace fnet::cli {

/// The names of a table's rows.
std::vector<std::string> names_of(std::span<const KindRow> rows);
std::vector<std::string> names_of(std::span<const std::string_view> names);

/// --threads
void add_threads(FlagSet& flags, int& threads);

/// --variant; `without`: as FlagRules has it.
void add_variant(FlagSet& flags, std::string& variant, std::string help,
                 std::vector<std::string> without = {});

/// --pooling; `more`: words beside the poolings' names.
void add_pooling(FlagSet& flags, std::string& pooling, std::vector<std::string> more = {},
                 std::string help = "which vector stands for a text; else the model's own");

/// --problem-type
void add_problem_type(FlagSet& flags, std::string& problem_type);

/// --set
void add_settings(FlagSet& flags, std::vector<std::string>& settings,
                  std::vector<std::string> without = {});

/// Where the records of a data file are, and what becomes of bad ones: one set of flags for all who
/// read data, so that one command line's flags fit the next command.
void add_data(FlagSet& flags, ReadOptions& options, Columns& columns);

/// Warns of the bad lines of a file that were skipped, where there are any.
void warn_of_skipped(const std::string& name, std::size_t lines);

}  // namespace fnet::cli
