#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fnet::cli {

/// Starts the log on standard error; `pattern` is spdlog's.
void start_log(const std::string& pattern);

/// What --log-level may be: how much is told, from everything to nothing.
const std::vector<std::string>& log_levels();
void set_log_level(const std::string& level);

enum class LogLevel { debug, info, warning };

/// Whether lines of this level are told.
bool log_tells(LogLevel level);

void write_log(LogLevel level, std::string_view line);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_tells(LogLevel::debug))
    write_log(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace fnet::cli
