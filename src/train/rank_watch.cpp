#include "train/rank_watch.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sstream>
#include <utility>

#include "core/error.h"

namespace fnet {
namespace {

/// Between two looks at the connections, and two beats.
constexpr std::chrono::milliseconds kPause(50), kBeat(200);
/// How long the others have to read a last word, and how long a gone rank 0's may be on its way.
constexpr std::chrono::milliseconds kLastWord(300);
/// Bytes of a line at most: what somebody else sends who found the port is not kept.
constexpr std::size_t kLongest = 4096;

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

std::string one_line(std::string_view text) {
  std::string line = printable(text, 2000);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

int connect_to(const std::string& host, int port, double timeout) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const std::string service = std::to_string(port);
  const int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  require(code == 0, Kind::system, "MASTER_ADDR: {}: {}", host, gai_strerror(code));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, freeaddrinfo);
  const auto start = std::chrono::steady_clock::now();
  std::string why;
  do {
    for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
      const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
      if (fd < 0) continue;
      if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) return fd;
      why = std::strerror(errno);
      close(fd);
    }
    std::this_thread::sleep_for(kPause);
  } while (seconds(std::chrono::steady_clock::now() - start) < timeout);
  fail(Kind::system, "{}:{}: expected rank 0 there, found: {}", host, port, why);
}

void make_quick(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace

RankWatch::Listener::Listener() {
  // Both families where the machine has IPv6.
  for (const int family : {AF_INET6, AF_INET}) {
    descriptor_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor_ < 0) continue;
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    socklen_t length = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    const int off = 0;
    if (family == AF_INET6) setsockopt(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(descriptor_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
        listen(descriptor_, SOMAXCONN) == 0) {
      length = sizeof address;
      getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
      port_ = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                       : reinterpret_cast<sockaddr_in&>(address).sin_port);
      return;
    }
    close(std::exchange(descriptor_, -1));
  }
  fail(Kind::system, "rank 0: listen: {}", std::strerror(errno));
}

RankWatch::Listener::~Listener() { close(descriptor_); }

RankWatch::RankWatch(Options options, const Listener* listener)
    : options_(std::move(options)), met_(options_.names.size(), false) {
  met_[0] = true;
  if (leads()) {
    listener_ = listener->descriptor();
  } else {
    const int fd = connect_to(options_.host, options_.port, options_.timeout);
    make_quick(fd);
    Peer& peer = peers_.emplace_back();
    peer.rank = 0, peer.descriptor = fd;
    peer.heard = peer.since = Clock::now();
    send(peer, fmt::format("rank {} {}\n", options_.rank, options_.secret));
  }
  thread_ = std::thread([this] { run(); });
}

RankWatch::~RankWatch() {
  leaving_ = true;
  thread_.join();
  for (const Peer& peer : peers_) close(peer.descriptor);
}

void RankWatch::begin_wait() noexcept {
  ++waits_;
  waiting_ = true;
}

std::optional<std::string> RankWatch::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::optional<std::string> RankWatch::lost_within(double limit) const {
  const auto start = Clock::now();
  std::optional<std::string> found;
  while (!(found = lost()) && seconds(Clock::now() - start) < limit)
    std::this_thread::sleep_for(kPause / 5);
  return found;
}

void RankWatch::give_up(std::string_view why) {
  {
    const std::lock_guard lock(mutex_);
    farewell_ = one_line(why);
  }
  leaving_ = true;
  thread_.join();
  thread_ = std::thread([] {});
}

RankWatch::Beat RankWatch::own() const {
  return {waits_.load(), step_.load(), waiting_.load(), stepping_.load()};
}

void RankWatch::send(const Peer& peer, const std::string& line) const {
  // Too small for a full buffer, unless the other side reads no more: then its silence tells.
  static_cast<void>(::send(peer.descriptor, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

void RankWatch::send_all(const std::string& line, int but) const {
  for (const Peer& peer : peers_)
    if (peer.rank != but && !peer.left) send(peer, line);
}

bool RankWatch::all_left() const {
  return std::ranges::all_of(peers_, [](const Peer& peer) { return peer.left; });
}

void RankWatch::run() {
  auto told = Clock::now() - kBeat;
  while (!ended_) {
    std::vector<pollfd> polled;
    for (const Peer& peer : peers_)
      if (!peer.left) polled.push_back({peer.descriptor, POLLIN, 0});
    if (leads()) polled.push_back({listener_, POLLIN, 0});
    poll(polled.data(), polled.size(), static_cast<int>(kPause.count()));
    if (leads() && polled.back().revents != 0) accept_peer();
    for (const pollfd& one : polled) {
      if (one.revents == 0 || one.fd == listener_) continue;
      const auto peer = std::ranges::find(peers_, one.fd, &Peer::descriptor);
      if (peer != peers_.end()) read(*peer);
      if (ended_) return;
    }
    std::erase_if(peers_, [](const Peer& peer) { return peer.descriptor < 0; });
    if (leaving_) {
      std::string why;
      {
        const std::lock_guard lock(mutex_);
        why = farewell_;
      }
      if (!why.empty()) {
        send_all(leads() ? fmt::format("lost {}: {}\n", options_.names[0], why)
                         : fmt::format("gives-up {}\n", why));
        return drain();
      }
      const bool all = std::ranges::count(met_, true) == std::ssize(met_) && all_left();
      if (!leads() || all) return send_all("bye\n");
    }
    if (Clock::now() - told >= kBeat) {
      told = Clock::now();
      const Beat now = own();
      send_all(
          fmt::format("beat {} {:d} {:d} {}\n", now.waits, now.waiting, now.stepping, now.step));
    }
    judge();
  }
}

void RankWatch::accept_peer() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  make_quick(fd);
  Peer& peer = peers_.emplace_back();
  peer.descriptor = fd;
  peer.heard = peer.since = Clock::now();
}

void RankWatch::read(Peer& peer) {
  char bytes[1024];
  ssize_t count = 0;
  while (!ended_ && (count = recv(peer.descriptor, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    peer.read.append(bytes, static_cast<std::size_t>(count));
    for (std::size_t end = 0; (end = peer.read.find('\n')) != std::string::npos;) {
      const std::string line = peer.read.substr(0, end);
      peer.read.erase(0, end + 1);
      take(peer, line);
      if (ended_ || peer.descriptor < 0) return;
    }
    if (peer.read.size() > kLongest) break;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (peer.left) return;
  if (peer.rank >= 0) return lose(peer.rank, "ended");
  close(std::exchange(peer.descriptor, -1));  // a stranger
}

void RankWatch::take(Peer& peer, std::string_view line) {
  std::istringstream words{std::string(line)};
  std::string kind;
  words >> kind;
  if (peer.rank < 0) {
    std::string secret;
    int rank = -1;
    words >> rank >> secret;
    const bool known = kind == "rank" && rank > 0 && rank < std::ssize(met_) &&
                       secret == options_.secret && !met_[static_cast<std::size_t>(rank)];
    if (!known) return static_cast<void>(close(std::exchange(peer.descriptor, -1)));
    peer.rank = rank;
    met_[static_cast<std::size_t>(rank)] = true;
    return;
  }
  peer.heard = Clock::now();
  const auto rest = [&] {
    return std::string(line.substr(std::min(line.size(), kind.size() + 1)));
  };
  if (kind == "beat") {
    Beat beat;
    words >> beat.waits >> beat.waiting >> beat.stepping >> beat.step;
    if (beat.waits != peer.beat.waits || beat.waiting != peer.beat.waiting) peer.since = peer.heard;
    peer.beat = beat;
  } else if (kind == "bye") {
    peer.left = true;
  } else if (kind == "lost") {
    end(rest());
  } else if (kind == "gives-up") {
    lose(peer.rank, ": " + rest());
  }
}

/// Looks for processes that are silent, or that others wait for in vain.
void RankWatch::judge() {
  const auto now = Clock::now();
  for (const Peer& peer : peers_) {
    if (peer.left || peer.rank < 0 || seconds(now - peer.heard) <= options_.timeout) continue;
    return lose(peer.rank, fmt::format("is silent for {:.0f} s", options_.timeout));
  }
  if (!leads()) return;
  for (std::size_t rank = 0; rank < met_.size(); ++rank) {
    if (!met_[rank] && seconds(now - started_) > options_.timeout)
      return lose(static_cast<int>(rank),
                  fmt::format("did not come in {:.0f} s", options_.timeout));
  }
  struct Known {
    int rank;
    Beat beat;
    double waits_for;  // seconds
  };
  const Beat mine = own();
  if (mine.waits != seen_waits_ || !mine.waiting) seen_waits_ = mine.waits, waits_since_ = now;
  std::vector<Known> all = {{0, mine, mine.waiting ? seconds(now - waits_since_) : 0}};
  for (const Peer& peer : peers_) {
    if (!peer.left && peer.rank >= 0)
      all.push_back({peer.rank, peer.beat, peer.beat.waiting ? seconds(now - peer.since) : 0});
  }
  for (const Known& waiting : all) {
    if (waiting.waits_for <= options_.timeout) continue;
    for (const Known& late : all) {
      if (late.beat.stepping && !late.beat.waiting && late.beat.waits < waiting.beat.waits)
        return lose(late.rank,
                    fmt::format("hangs: others wait for it for {:.0f} s", options_.timeout));
    }
  }
}

/// A process is lost: the others hear it from rank 0.
void RankWatch::lose(int rank, const std::string& what) {
  std::int64_t step = step_;
  for (Peer& peer : peers_) {
    if (peer.rank == rank) step = leads() ? peer.beat.step : step, peer.left = true;
  }
  std::string message =
      what.starts_with(":")
          ? options_.names[static_cast<std::size_t>(rank)] + what
          : fmt::format("{} {} after step {}", options_.names[static_cast<std::size_t>(rank)], what,
                        step);
  if (leads()) {
    send_all(fmt::format("lost {}\n", message), rank);
    drain();
  }
  end(std::move(message));
}

/// Gives the others the time to read what was sent: bytes of theirs that are not read when this
/// process ends would take it away.
void RankWatch::drain() {
  const auto start = Clock::now();
  for (const Peer& peer : peers_) shutdown(peer.descriptor, SHUT_WR);
  while (Clock::now() - start < kLastWord) {
    std::vector<pollfd> polled;
    for (const Peer& peer : peers_)
      if (!peer.left) polled.push_back({peer.descriptor, POLLIN, 0});
    if (polled.empty()) return;
    poll(polled.data(), polled.size(), static_cast<int>(kPause.count()));
    for (Peer& peer : peers_) {
      if (peer.left) continue;
      char bytes[1024];
      ssize_t count = 1;
      while (count > 0) count = recv(peer.descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
      peer.left = count == 0 || (errno != EAGAIN && errno != EINTR);
    }
  }
}

void RankWatch::end(std::string message) {
  ended_ = true;
  if (options_.lost) options_.lost(message);
  const std::lock_guard lock(mutex_);
  lost_ = std::move(message);
}

}  // namespace fnet
