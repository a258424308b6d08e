#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>

namespace fnet {

/// The system calls that write, change names or make bytes durable pass through faults.cpp, so that
/// a test can let the k-th of them fail or end the process before it. Linked into a test, or loaded
/// before a program (LD_PRELOAD), where FNET_FAULT says it, "countdown error count short under",
/// and the file that FNET_FAULT_MET names tells whether a call failed.
struct Faults {
  int countdown = -1;        ///< calls until the fault; below 0: none
  int error = 0;             ///< errno of the failing call; 0: the process ends
  int count = 1;             ///< calls that fail in a row
  bool short_write = false;  ///< a call that writes does half of it, the next one fails
  bool no_exchange = false;  ///< the file system cannot exchange two names
  const char* under = "";    ///< of files under this path only; empty: of all
  bool met = false;          ///< a call failed
};

extern Faults faults;

/// The exit status of a process in which `act` runs: 0, 1 where it throws, or minus the signal that
/// ended it.
inline int status_of_child(const std::function<void()>& act) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      act();
    } catch (const std::exception&) {
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace fnet
