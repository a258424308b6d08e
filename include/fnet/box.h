#pragma once

#include <filesystem>
#include <optional>

#include "fnet/api.h"
#include "fnet/error.h"

namespace fnet {

/// The model in the box, `fnet-mini-en`: a small encoder of English texts, which comes with the
/// program. It is the directory that $FNET_BOX names (`none`: there is none), else
/// `share/fnet/models/fnet-mini-en` beside the folder of the running program, else under the prefix
/// that the library was installed to. Nothing where it is in none of these. Throws: input where
/// $FNET_BOX is set and has no model.
FNET_API std::optional<std::filesystem::path> find_box();

/// Whether $FNET_BOX says that there is none, so that nobody misses it.
FNET_API bool box_declined();

/// As find_box. Throws: input where there is none, with the places that were looked at.
FNET_API std::filesystem::path box_directory();

}  // namespace fnet
