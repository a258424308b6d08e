#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/config.h"
#include "runtime/inspect.h"

namespace fnet::cli {

/// A state's name: `embeddings`, `0 fourier`, `0 mlp`, `final norm`.
std::string name_of(const StateView& state, const Config& config);

/// Shares of the energy in dB: the constant part, then the means of at most so many bands.
std::vector<double> decibels(const std::vector<double>& energy, std::size_t most);

/// `reviews: 2 layers of 256 columns, fourier and mlp, text-classification`.
std::string summary_of(std::string_view model, const Config& config);

/// What was seen inside a model as one HTML page that needs nothing else.
std::string inspection_page(std::string_view model, const Config& config, const Inspection& seen);

}  // namespace fnet::cli
