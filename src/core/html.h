#pragma once

#include <string>
#include <string_view>

namespace fnet {

/// `text` with the characters that HTML gives a meaning replaced.
std::string escape_html(std::string_view text);

/// A page that needs nothing else: `body`, HTML, under `title`, a text, in the look that all our
/// pages share. It is light or dark as the reader's system is, and fits a telephone. Its colours
/// are var(--ink), --dim, --line, --a, --b, --paper; tables stand in a <div class='wide'>, small
/// charts in a <div class='charts'>. `style`: the page's own CSS.
std::string html_page(std::string_view title, std::string_view body, std::string_view style = {});

}  // namespace fnet
