#include "train/ranks.h"

#if __has_include(<gloo/of_torch.h>)
#include <gloo/of_torch.h>  // first
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "train/rank_watch.h"
#include "train/run_identity.h"

namespace fnet {

#ifdef FNET_GLOO

namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;

/// Between two looks into the store.
constexpr std::chrono::milliseconds kPause(10);
/// Seconds that processes have to come, at least.
constexpr double kMeeting = 60;
/// Seconds that what is known of a lost process may take, and that sums wait longer than the watch.
constexpr double kLater = 3;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string first_line(const std::exception& error) {
  const std::string text = error.what();  // that of c10::Error has a stack behind it
  return printable(std::string_view(text).substr(0, text.find('\n')), 300);
}

/// A tensor's memory.
at::Tensor bytes_of(const at::Tensor& tensor) {
  return at::from_blob(tensor.data_ptr(), {static_cast<std::int64_t>(tensor.nbytes())},
                       tensor.options().dtype(at::kByte).requires_grad(false));
}

}  // namespace

struct Ranks::Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
  std::optional<RankWatch::Listener> listener;
  std::vector<std::string> names;  // by rank
  std::optional<RankWatch> watch;
  std::vector<c10::intrusive_ptr<c10d::Work>> sums;
  std::int64_t told = 0, agreed = 0;
  bool broken = false;
  bool all_know = false;  // why this process ends

  /// What torch throws where a process is gone, with the name of that.
  template <class Use>
  auto with(Use&& use) {
    try {
      return use();
    } catch (const c10::Error& error) {
      broken = true;
      std::optional<std::string> lost;
      if (watch) lost = watch->lost_within(kLater);
      fail(Kind::system, "{}", lost ? *lost : "the other processes: " + first_line(error));
    }
  }

  void set(const std::string& key, const Bytes& value) {
    with([&] { store->set(key, value); });
  }
  void set(const std::string& key, const std::string& value) {
    set(key, Bytes(value.begin(), value.end()));
  }
  Bytes bytes(const std::string& key) {
    return with([&] { return store->get(key); });
  }
  std::string text(const std::string& key) {
    const Bytes value = bytes(key);
    return {value.begin(), value.end()};
  }

  /// Waits for keys, as long as nobody is lost.
  void wait(const std::vector<std::string>& keys) {
    while (!with([&] { return store->check(keys); })) {
      if (watch) {
        if (const auto lost = watch->lost()) {
          broken = true;
          fail(Kind::system, "{}", *lost);
        }
      }
      std::this_thread::sleep_for(kPause);
    }
  }
};

namespace {

std::string key_of(const char* what, std::int64_t number) {
  return fmt::format("{}/{}", what, number);
}

/// Where processes of one training find each other.
c10::intrusive_ptr<c10d::Store> meeting_place(const RankPlace& place, double timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = place.rank == 0 && !place.store_is_there;
  options.waitWorkers = false;
  options.timeout = milliseconds(timeout);
  try {
    // Those of an attempt before have left their addresses there.
    return c10::make_intrusive<c10d::PrefixStore>(
        "fnet/" + place.attempt, c10::make_intrusive<c10d::TCPStore>(place.host, options));
  } catch (const c10::Error& error) {
    fail(Kind::system, "{}:{} (MASTER_ADDR, MASTER_PORT): expected {}, found: {}", place.host,
         place.port,
         options.isServer ? "a free port of this machine"
                          : fmt::format("rank 0 there within {:g} s", timeout),
         first_line(error));
  }
}

}  // namespace

Ranks::Ranks() = default;

Ranks::Ranks(const RankPlace& place, Options options)
    : rank_(place.rank), size_(place.size), group_(std::make_unique<Group>()) {
  Group& g = *group_;
  const double meeting = std::max(kMeeting, options.timeout);
  g.store = meeting_place(place, meeting);
  g.set(key_of("name", rank_),
        fmt::format("rank {} of {} ({}, process {})", rank_, size_, host_name(), getpid()));
  const auto start = Clock::now();
  const auto late = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count() > meeting;
  };
  RankWatch::Options watch;
  if (leads()) {
    std::vector<int> missing;
    for (int rank = 0; rank < size_; ++rank) missing.push_back(rank);
    while (true) {
      std::erase_if(missing, [&](int rank) { return g.store->check({key_of("name", rank)}); });
      if (missing.empty()) break;
      require(!late(), Kind::system,
              "{}:{}: expected {} processes within {:g} s, found none of rank {}", place.host,
              place.port, size_, meeting, fmt::join(missing, ", "));
      std::this_thread::sleep_for(kPause);
    }
    for (int rank = 0; rank < size_; ++rank) g.names.push_back(g.text(key_of("name", rank)));
    g.listener.emplace();
    std::random_device random;
    watch.port = g.listener->port();
    watch.secret = fmt::format("{:08x}{:08x}", random(), random());
    g.set(
        "watch",
        nlohmann::json{{"names", g.names}, {"port", watch.port}, {"secret", watch.secret}}.dump());
  } else {
    while (!g.with([&] { return g.store->check({"watch"}); })) {
      require(!late(), Kind::system,
              "{}:{}: expected all {} processes within {:g} s, found that some are missing",
              place.host, place.port, size_, meeting);
      std::this_thread::sleep_for(kPause);
    }
    const nlohmann::json told = nlohmann::json::parse(g.text("watch"));
    g.names = told.at("names").get<std::vector<std::string>>();
    watch.port = told.at("port").get<int>();
    watch.secret = told.at("secret").get<std::string>();
  }
  watch.rank = rank_;
  watch.names = g.names;
  watch.host = place.host;
  watch.timeout = options.timeout;
  watch.lost = std::move(options.lost);
  g.watch.emplace(std::move(watch), g.listener ? &*g.listener : nullptr);
  g.with([&] {
    g.backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
        c10::make_intrusive<c10d::PrefixStore>("gloo", g.store), rank_, size_,
        c10d::ProcessGroupGloo::Options::create_default(milliseconds(options.timeout + kLater)));
  });
}

Ranks::~Ranks() {
  if (!group_) return;
  group_->watch.reset();
  // Its threads may wait for a process that is gone, and would be waited for.
  if (group_->broken) static_cast<void>(group_->backend.release());
}

nlohmann::json Ranks::tell(const nlohmann::json& value) {
  if (alone()) return value;
  const std::string key = key_of("told", group_->told++);
  if (leads()) {
    group_->set(key, nlohmann::json::to_cbor(value));  // whose numbers may be no numbers
    return value;
  }
  group_->wait({key});
  return nlohmann::json::from_cbor(group_->bytes(key));
}

void Ranks::agree(const nlohmann::json& run) {
  if (alone()) return;
  Group& g = *group_;
  const std::string what = key_of("run", g.agreed++);
  if (leads()) g.set(what, run.dump());
  g.wait({what});
  const nlohmann::json first = nlohmann::json::parse(g.text(what));
  std::vector<std::string> different = differences(first, run, "at rank 0");
  // Changes no weights, but all stop for it.
  constexpr const char* kCheckpoints = "checkpoint_steps";
  const auto steps = [&](const nlohmann::json& one) { return one.value(kCheckpoints, 0); };
  if (steps(first) != steps(run)) {
    different.push_back(
        fmt::format("{}: {} at rank 0, {} here", kCheckpoints, steps(first), steps(run)));
  }
  g.set(fmt::format("{}/{}", what, rank_), fmt::format("{}", fmt::join(different, "; ")));
  std::string all;
  for (int rank = 0; rank < size_; ++rank) {
    const std::string key = fmt::format("{}/{}", what, rank);
    g.wait({key});
    const std::string own = g.text(key);
    if (!own.empty() && all.empty())
      all = fmt::format("{}: expected what rank 0 has, found {}",
                        g.names[static_cast<std::size_t>(rank)], own);
  }
  g.all_know = !all.empty();
  require(all.empty(), Kind::usage, "{}", all);
}

void Ranks::copy_first(const NamedTensors& tensors) {
  if (alone()) return;
  wait_for_first();
  c10d::BroadcastOptions options;
  options.rootRank = 0;
  group_->watch->begin_wait();
  for (const auto& [name, tensor] : tensors) {
    if (tensor.numel() == 0) continue;
    TORCH_CHECK(tensor.is_contiguous(), name, ": expected contiguous memory");
    std::vector<at::Tensor> bytes = {bytes_of(tensor)};
    group_->with([&] { group_->backend->broadcast(bytes, options)->wait(); });
  }
  group_->watch->end_wait();
}

void Ranks::begin_sum(const at::Tensor& values) {
  if (alone()) return;
  std::vector<at::Tensor> list = {values};
  group_->with([&] { group_->sums.push_back(group_->backend->allreduce(list)); });
}

void Ranks::finish_sums() {
  if (alone()) return;
  group_->watch->begin_wait();
  for (const auto& sum : std::exchange(group_->sums, {})) group_->with([&] { sum->wait(); });
  group_->watch->end_wait();
}

void Ranks::set_stepping(bool stepping) {
  if (!alone()) group_->watch->set_stepping(stepping);
}

void Ranks::set_step(std::int64_t step) {
  if (!alone()) group_->watch->set_step(step);
}

void Ranks::give_up(std::string_view why) noexcept {
  if (alone() || group_->all_know) return;
  group_->broken = true;
  try {
    if (!group_->watch->lost()) group_->watch->give_up(why.substr(0, why.find('\n')));
  } catch (const std::exception&) {  // then they see that it ends
  }
}

#else

struct Ranks::Group {};

Ranks::Ranks() = default;
Ranks::Ranks(const RankPlace& place, Options /*options*/) {
  fail(Kind::system,
       "WORLD_SIZE: expected 1, as this program was built with a torch without Gloo, found {}",
       place.size);
}
Ranks::~Ranks() = default;
nlohmann::json Ranks::tell(const nlohmann::json& value) { return value; }
void Ranks::agree(const nlohmann::json& /*run*/) {}
void Ranks::copy_first(const NamedTensors& /*tensors*/) {}
void Ranks::begin_sum(const at::Tensor& /*values*/) {}
void Ranks::finish_sums() {}
void Ranks::set_stepping(bool /*stepping*/) {}
void Ranks::set_step(std::int64_t /*step*/) {}
void Ranks::give_up(std::string_view /*why*/) noexcept {}

#endif

void Ranks::sum(const at::Tensor& values) {
  begin_sum(values);
  finish_sums();
}

}  // namespace fnet
