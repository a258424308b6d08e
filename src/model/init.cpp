#include "model/init.h"

#include "core/hash.h"
#include "core/random.h"

namespace fnet {

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
  Philox random(seed, fnv1a(name));
  std::vector<float> values(size);
  for (float& v : values) v = static_cast<float>(range) * random.normal();
  return values;
}

}  // namespace fnet
