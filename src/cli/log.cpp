// The only file that includes spdlog.
#include "cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "core/error.h"

namespace fnet::cli {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      break;
  }
  return spdlog::level::warn;
}

}  // namespace

void start_log(const std::string& pattern) {
  auto log = spdlog::stderr_color_mt("fnet");
  log->set_pattern(pattern);
  spdlog::set_default_logger(log);
}

const std::vector<std::string>& log_levels() {
  static const std::vector<std::string> levels = {"debug", "info", "warn", "error", "off"};
  return levels;
}

void set_log_level(const std::string& level) { spdlog::set_level(spdlog::level::from_str(level)); }

bool log_tells(LogLevel level) { return spdlog::should_log(level_of(level)); }

void write_log(LogLevel level, std::string_view line) {
  spdlog::log(level_of(level), "{}", printable(line, line.size()));
}

}  // namespace fnet::cli
