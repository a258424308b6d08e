#include "model/kinds.h"

namespace fnet {
namespace {

constexpr KindRow kNorms[] = {
#define FNET_NORM(name, Type, reach, help) {#name, help, Reach::reach},
#include "model/kinds.def"
};
constexpr KindRow kFfns[] = {
#define FNET_FFN(name, Type, reach, help) {#name, help, Reach::reach},
#include "model/kinds.def"
};
constexpr KindRow kMixers[] = {
#define FNET_MIXER(name, Type, reach, help) {#name, help, Reach::reach},
#include "model/kinds.def"
};
constexpr KindRow kPoolings[] = {
#define FNET_POOLING(name, Type, reach, help) {#name, help, Reach::reach},
#include "model/kinds.def"
};
constexpr KindRow kActivations[] = {
#define FNET_ACTIVATION(name, function, help) {#name, help},
#include "model/kinds.def"
};
constexpr KindRow kTasks[] = {
    {"encoder", "no head: hidden states and embeddings"},
#define FNET_TASK(name, Head, Task, architecture, help) {name, help},
#include "model/kinds.def"
};
constexpr std::string_view kArchitectures[] = {
    "FNetModel",
#define FNET_TASK(name, Head, Task, architecture, help) architecture,
#include "model/kinds.def"
};

}  // namespace

std::span<const KindRow> norm_kinds() { return kNorms; }
std::span<const KindRow> ffn_kinds() { return kFfns; }
std::span<const KindRow> mixer_kinds() { return kMixers; }
std::span<const KindRow> pooling_kinds() { return kPoolings; }
std::span<const KindRow> activation_kinds() { return kActivations; }
std::span<const KindRow> task_kinds() { return kTasks; }

std::string_view architecture_of(std::string_view task) {
  for (std::size_t i = 0; i < std::size(kTasks); ++i) {
    if (kTasks[i].name == task) return kArchitectures[i];
  }
  return kArchitectures[0];
}

std::string_view task_of(std::string_view architecture) {
  if (architecture == kPreTraining) architecture = "FNetForMaskedLM";
  for (std::size_t i = 0; i < std::size(kTasks); ++i) {
    if (kArchitectures[i] == architecture) return kTasks[i].name;
  }
  return kTasks[0].name;
}

bool may_read_numbers(std::string_view task) {
  return task == "encoder" || architecture_of(task) == "FNetForSequenceClassification";
}

bool has_labels(std::string_view task) { return architecture_of(task) != "FNetForMaskedLM"; }

}  // namespace fnet
