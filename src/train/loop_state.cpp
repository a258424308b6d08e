// What a checkpoint keeps of a loop, and how training goes on from it.
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "core/error.h"
#include "train/loop.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

template <class Visit>
void members_of(EpochReport& r, Visit&& visit) {
  visit("epoch", r.epoch);
  visit("step", r.step);
  visit("loss", r.loss);
  visit("dev_loss", r.dev_loss);
  visit("metrics", r.metrics);
  visit("seconds", r.seconds);
  visit("tokens_per_second", r.tokens_per_second);
  visit("best", r.best);
}

template <class Visit>
void members_of(TrainingReport& r, Visit&& visit) {
  visit("epochs", r.epochs);
  visit("best", r.best);
  visit("best_loss", r.best_loss);
  visit("best_epoch", r.best_epoch);
  visit("start", r.start);
  visit("skipped_steps", r.skipped_steps);
  visit("spikes", r.spikes);
}

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_report =
    std::is_same_v<T, EpochReport> || std::is_same_v<T, TrainingReport>;

/// A value as JSON, which has no numbers that are not finite: they are null.
template <class T>
Json json_of(T& value) {
  if constexpr (is_report<T>) {
    Json object = Json::object();
    members_of(value, [&](const char* name, auto& member) { object[name] = json_of(member); });
    return object;
  } else if constexpr (is_list<T>) {
    Json list = Json::array();
    for (auto& one : value) list.push_back(json_of(one));
    return list;
  } else if constexpr (is_optional<T>) {
    return value ? json_of(*value) : Json();
  } else if constexpr (std::is_same_v<T, std::pair<std::string, double>>) {
    return Json::array({value.first, json_of(value.second)});
  } else if constexpr (std::is_same_v<T, double>) {
    return std::isfinite(value) ? Json(value) : Json();
  } else {
    return value;
  }
}

template <class T>
void take(const Json& json, T& value) {
  if constexpr (is_report<T>) {
    members_of(value, [&](const char* name, auto& member) { take(json.at(name), member); });
  } else if constexpr (is_list<T>) {
    value.clear();
    for (const Json& one : json) take(one, value.emplace_back());
  } else if constexpr (is_optional<T>) {
    value.reset();
    if (!json.is_null()) take(json, value.emplace());
  } else if constexpr (std::is_same_v<T, std::pair<std::string, double>>) {
    take(json.at(0), value.first);
    take(json.at(1), value.second);
  } else if constexpr (std::is_same_v<T, double>) {
    value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
  } else {
    value = json.get<T>();
  }
}

}  // namespace

/// The one list of them.
template <class Visit>
void Loop::members(Visit&& visit) {
  visit("stage", stage_);
  visit("stage_begin", stage_begin_);
  visit("stage_epochs", stage_epochs_);
  visit("without_better", without_better_);
  visit("step", step_);
  visit("seconds", seconds_);
  visit("line", line_);
  visit("loss_sum", loss_sum_);
  visit("good_steps", good_steps_);
  visit("tokens", tokens_);
  visit("bad_in_a_row", bad_in_a_row_);
  visit("report", report_);
}

nlohmann::json Loop::state() {
  Json json = Json::object();
  members([&](const char* name, auto& member) { json[name] = json_of(member); });
  AdamW::Counters counters = optimizer_->counters();
  json["optimizer"] = {{"steps", counters.steps},
                       {"norms", json_of(counters.norms)},
                       {"loss_scale", counters.loss_scale},
                       {"scaled_steps", counters.scaled_steps}};
  return json;
}

void Loop::restore(const nlohmann::json& state) {
  try {
    members([&](const char* name, auto& member) { take(state.at(name), member); });
    require(stage_ >= 0 && stage_ < static_cast<std::int64_t>(options_.stages.size()), Kind::input,
            "stage: expected 0 to {}, found {}", options_.stages.size() - 1, stage_);
    if (report_.best_epoch && ranks_.leads()) {
      saver_.restore_best();
      best_ = objective_.evaluate();
    }
    begin_stage(options_.stages[static_cast<std::size_t>(stage_)]);
    if (ranks_.leads()) saver_.restore(tensors());
    ranks_.copy_first(tensors());
    AdamW::Counters counters;
    take(state.at("optimizer").at("steps"), counters.steps);
    take(state.at("optimizer").at("norms"), counters.norms);
    counters.loss_scale = state["optimizer"].value("loss_scale", 1.0);
    counters.scaled_steps = state["optimizer"].value("scaled_steps", std::int64_t{0});
    optimizer_->set_counters(std::move(counters));
  } catch (const Json::exception& error) {
    fail(Kind::input, "checkpoint: expected the state of a training, found {}", error.what());
  }
  report_.step = tried_step_ = step_;
  report_.checkpoint = step_;
}

NamedTensors Loop::model_tensors() const {
  NamedTensors all;
  for (const auto& item : objective_.model().named_parameters())
    all.emplace_back("model." + item.key(), item.value().detach());
  for (const auto& item : objective_.model().named_buffers())
    all.emplace_back("model." + item.key(), item.value().detach());
  return all;
}

/// All that the next step reads: the model, and what the optimizer keeps for it.
NamedTensors Loop::tensors() const {
  NamedTensors all = model_tensors();
  for (auto& item : optimizer_->state()) all.push_back(std::move(item));
  return all;
}

/// A model that is broken is no state to go on from.
void Loop::check_finite(const NamedTensors& tensors) const {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.is_floating_point() || tensor.numel() == 0) continue;
    const auto [low, high] = at::aminmax(tensor);
    require(std::isfinite(low.item<double>()) && std::isfinite(high.item<double>()), Kind::input,
            "{}: expected finite numbers, found others; lower the learning rate", name);
  }
}

}  // namespace fnet
