#include "model/init.h"

#include "core/random.h"

namespace fnet {
namespace {

/// FNV-1a.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

}  // namespace

std::vector<float> initial_values(const WeightSpec& spec, double range, std::uint64_t seed) {
  std::size_t size = 1;
  for (const std::int64_t d : spec.shape) size *= static_cast<std::size_t>(d);
  switch (spec.init) {
    case Init::zeros:
      return std::vector<float>(size, 0.0F);
    case Init::ones:
      return std::vector<float>(size, 1.0F);
    case Init::normal:
      break;
  }
  // The place in the model, not whether a head wraps it, decides.
  std::string_view name = spec.name;
  if (name.starts_with("fnet.")) name.remove_prefix(5);
  Philox random(seed, hash(name));
  std::vector<float> values(size);
  for (float& v : values) v = static_cast<float>(range) * random.normal();
  return values;
}

}  // namespace fnet
