#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fnet {

/// What a row of a part's result depends on: the same row of its input, a text's first row, or all
/// rows of a text.
enum class Reach : std::uint8_t { row, first_row, text };

/// A row of kinds.def, for messages, `info` and the docs.
struct KindRow {
  std::string_view name, help;
  Reach reach = Reach::row;
};

/// The table behind a config key (norm_type, ffn_type, mixers, pooling, hidden_act, task), in the
/// order of kinds.def.
std::span<const KindRow> norm_kinds();
std::span<const KindRow> ffn_kinds();
std::span<const KindRow> mixer_kinds();
std::span<const KindRow> pooling_kinds();
std::span<const KindRow> activation_kinds();
std::span<const KindRow> task_kinds();

/// Hugging Face's class name for a task, e.g. FNetForSequenceClassification; FNetModel without one.
std::string_view architecture_of(std::string_view task);

/// The first task of a Hugging Face class; `encoder` for FNetModel and for heads that are not in
/// the table. FNetForPreTraining is FNetForMaskedLM with a further head, kOrderHead.
std::string_view task_of(std::string_view architecture);

/// Whether a model with a head for this task, or `encoder`, may read numbers in place of tokens.
bool may_read_numbers(std::string_view task);
inline constexpr std::string_view kPreTraining = "FNetForPreTraining";

/// The further head of Hugging Face's FNetForPreTraining, for next-sentence-prediction. Beside
/// fill-mask alone; its weights stand at the root, as they do there.
inline constexpr std::string_view kOrderHead = "seq_relationship";

/// Whether a head for this task has labels: one that scores the vocabulary has none.
bool has_labels(std::string_view task);

}  // namespace fnet
