#pragma once

#include <set>
#include <string>
#include <string_view>

#include "blocks/head/head.h"
// Written by the build: every header of blocks/head.
#include "blocks/head_headers.h"
#include "blocks/part_options.h"
#include "model/kinds.h"

namespace fnet {

using Head = OneOf<void
#define FNET_TASK(name, Type, Task, architecture, help) , Type
#include "model/kinds.def"
                   >;

/// The head of a task. Throws: internal where the task has none.
inline Head head_for(std::string_view task) {
#define FNET_TASK(name, Type, Task, architecture, help) \
  if (task == (name)) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "task '{}' has no head", task);
}

/// A head with its options. Throws: input for an option that it does not have or allow.
inline Head make_head(const HeadConfig& own) {
  Head head = head_for(own.task);
  if (own.options.empty()) return head;
  std::set<std::string> known;
  std::visit([&](auto& h) { set_options(h, "head_options", own.options, known); }, head);
  check_known_options("head_options", own.task, own.options, known);
  return head;
}

/// Where a head's weights stand: at the root, where Hugging Face has it there, or under its name.
inline std::string head_place(std::string_view name) {
  return name.empty() || name == kOrderHead ? std::string() : "heads." + std::string(name);
}

/// Whether it may have a wide part.
inline bool may_be_wide(const Head& head) {
  return std::visit([](const auto& h) { return h.wide; }, head);
}

/// Throws: input where the config wants a wide part of a head that has none.
inline void add_weights(const Head& head, const Specs& specs, const Config& config,
                        const HeadConfig& own) {
  require(own.wide_features == 0 || may_be_wide(head), Kind::input,
          "config: wide_features: expected 0 for {}, found {}", own.task, own.wide_features);
  std::visit([&](const auto& h) { h.weights(specs, config, own); }, head);
}

/// The head's scores from the last hidden state: [B, C] of a pooled head, else [P, C].
template <class A>
A apply(const Head& head, const A& x, const HeadContext<A>& c) {
  return std::visit([&](const auto& h) { return h.apply(x, c); }, head);
}

/// Whether it scores texts, and not rows.
inline bool is_pooled(const Head& head) {
  return std::visit([](const auto& h) { return h.pooled; }, head);
}

}  // namespace fnet
