#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace fnet {

/// Tells whether the processes of a training live. Each has a connection with rank 0, on which both
/// say a few times a second how far they are. Of a process that ends, however it ends, the system
/// closes it at once; one that hangs is silent, or does not come to where the others wait for it.
class RankWatch {
 public:
  struct Options {
    int rank = 0;
    std::vector<std::string> names;  ///< of all processes, for messages
    std::string host;                ///< of rank 0
    int port = 0;                    ///< there, as `Listener` has it
    std::string secret;              ///< that the processes of this training know
    double timeout = 60;  ///< seconds of silence, or of waiting, until one counts as lost
    std::function<void(std::string_view)> lost = {};  ///< as in Ranks
  };

  /// Where rank 0 is met.
  class Listener {
   public:
    /// On any free port. Throws: system.
    Listener();
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    int port() const noexcept { return port_; }
    int descriptor() const noexcept { return descriptor_; }

   private:
    int descriptor_ = -1, port_ = 0;
  };

  /// Rank 0 has a listener, which must outlive this object. Throws: system where rank 0 is not met.
  RankWatch(Options options, const Listener* listener);

  /// Takes leave: rank 0 when all others have.
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  /// Whether this process is on a step; and it waits for the others, from now on or no more.
  void set_stepping(bool stepping) noexcept { stepping_ = stepping; }
  void set_step(std::int64_t step) noexcept { step_ = step; }
  void begin_wait() noexcept;
  void end_wait() noexcept { waiting_ = false; }

  /// What is known of a lost process, once it is known.
  std::optional<std::string> lost() const;

  /// The same, within so many seconds.
  std::optional<std::string> lost_within(double seconds) const;

  /// Tells the others why this process ends.
  void give_up(std::string_view why);

 private:
  using Clock = std::chrono::steady_clock;

  /// What a process says of itself.
  struct Beat {
    std::int64_t waits = 0, step = 0;
    bool waiting = false, stepping = false;
  };
  struct Peer {
    int rank = -1, descriptor = -1;
    std::string read;  // no whole line yet
    Beat beat;
    Clock::time_point heard, since;  // the last line; the first one with this beat
    bool left = false;
  };

  void run();
  void accept_peer();
  void read(Peer& peer);
  void take(Peer& peer, std::string_view line);
  void send(const Peer& peer, const std::string& line) const;
  void send_all(const std::string& line, int but = -1) const;
  void judge();
  void lose(int rank, const std::string& what);
  void end(std::string message);
  void drain();
  Beat own() const;
  bool leads() const { return options_.rank == 0; }
  bool all_left() const;

  Options options_;
  int listener_ = -1;
  std::vector<Peer> peers_;
  std::vector<bool> met_;  // by rank
  Clock::time_point started_ = Clock::now(), waits_since_ = Clock::now();
  std::int64_t seen_waits_ = 0;
  std::atomic<std::int64_t> waits_ = 0, step_ = 0;
  std::atomic<bool> waiting_ = false, stepping_ = false, leaving_ = false;
  bool ended_ = false;  // of the thread: what there is to tell is told
  mutable std::mutex mutex_;
  std::string farewell_;  // why this process ends
  std::optional<std::string> lost_;
  std::thread thread_;
};

}  // namespace fnet
