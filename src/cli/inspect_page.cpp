#include "cli/inspect_page.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/html.h"

namespace fnet::cli {
namespace {

/// Tokens in the table of layers.
constexpr std::size_t kRows = 40;
/// Layers up to which that table has numbers in its cells.
constexpr std::size_t kNumbered = 14;
/// Points of a line.
constexpr std::size_t kPoints = 40;
/// Answers of a text, and answered units, that are shown.
constexpr std::size_t kAnswers = 5, kUnits = 60;
/// A change that gets full colour where no token's is larger.
constexpr double kLeastScale = 0.02;

constexpr std::string_view kStyle = R"(
.n{max-width:44rem}
.key span{white-space:nowrap;margin-right:1rem}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:.2rem .7rem;max-width:34rem;align-items:center}
.bars span{overflow-wrap:anywhere}.bars b{height:.7rem;border-radius:.2rem;background:var(--a);min-width:2px}
.bars i,.text i{font-style:normal;font-variant-numeric:tabular-nums}
.text{line-height:1.25;margin:1rem 0}
.text span{display:inline-block;text-align:center;vertical-align:top;margin:.15rem 0}
.text .w{margin-left:.3rem}
.text b,.h td{--c:var(--a);background:color-mix(in srgb,var(--c) calc(var(--v,0)*45%),transparent)}
.text b{font-weight:400;display:block;padding:.1rem .2rem;border-radius:.3rem;white-space:pre}
.text .no b,.h .no{--c:var(--b)}
.text i{font-size:.7rem;color:var(--dim);padding:0 .15rem}
.spectra{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.4rem,1fr));gap:1rem}
.spectra figure{max-width:none}
.h td{min-width:1.7rem;padding:.15rem .1rem;text-align:center;font-size:.75rem;border:1px solid var(--paper)}
.slim td{min-width:.8rem;height:1.3rem}
.h th{font-weight:400;border:0;padding:.1rem .15rem;text-align:center;font-size:.75rem;color:var(--dim)}
.h th.t{text-align:left;padding-right:.5rem;color:var(--ink);white-space:pre;max-width:9rem;overflow:hidden;text-overflow:ellipsis}
@media(max-width:36rem){.h td,.h th{font-size:.64rem;padding:.1rem 0;min-width:1.05rem}.slim td{min-width:.5rem}.h th.t{max-width:5rem}}
)";

std::string signed_number(double value) {
  if (std::abs(value) < 0.0005) return "0";
  return fmt::format("{}{:.3f}", value < 0 ? "−" : "+", std::abs(value));
}

/// A piece's text without the space before it, and whether it has one.
std::pair<std::string, bool> text_of(const TokenView& token) {
  const bool space = token.surface.starts_with(' ');
  const std::string text = token.surface.substr(space ? 1 : 0);
  return {printable(text.empty() ? "·" : text), space};
}

std::string answers_html(const Inspection& seen) {
  if (seen.answers.empty()) return "";
  std::string html = "<h2>The answer</h2>\n<div class='bars'>";
  const auto bar = [&](const Prediction& p, const std::string& label) {
    html += fmt::format("<span>{}</span><b style='width:{:.1f}%'></b><i>{:.3f}</i>\n",
                        escape_html(printable(label.empty() ? "no answer" : label)),
                        100 * std::clamp(static_cast<double>(p.score), 0.0, 1.0), p.score);
  };
  if (seen.answers.size() == 1) {
    const auto& unit = seen.answers.front();
    for (const Prediction& p : std::span(unit).first(std::min(kAnswers, unit.size())))
      bar(p, p.label);
  } else {
    for (std::size_t u = 0; u < std::min(kUnits, seen.answers.size()); ++u) {
      if (seen.answers[u].empty()) continue;
      const Prediction& best = seen.answers[u].front();
      bar(best, fmt::format("{}: {}", u + 1, best.label));
    }
  }
  return html + "</div>\n";
}

/// The text with each token in the colour of what it does.
std::string tokens_html(const Inspection& seen) {
  const bool answered = !seen.answers.empty();
  double scale = kLeastScale;
  for (const TokenView& t : seen.tokens)
    scale = std::max(scale, std::abs(answered ? t.answer : t.vector));
  std::string html = fmt::format(
      "<h2>What each token changes</h2>\n<p class='n dim'>{} in turn gives way to {}. {}</p>\n",
      seen.span == 1 ? "Each token" : fmt::format("Every {} tokens", seen.span),
      escape_html(seen.replacement),
      answered
          ? "The number is the change of the best answer's score. Blue carries the answer: without "
            "it the score falls. Orange speaks against it: without it the score rises."
          : "The number is how far the text's vector turns: 1 − cosine between the vectors before "
            "and after.");
  html += "<p class='text'>";
  for (const TokenView& t : seen.tokens) {
    const auto [text, space] = text_of(t);
    const double change = answered ? t.answer : t.vector;
    if (!t.replaced) {
      html += fmt::format("<span class='w dim'><b>{}</b></span>", escape_html(text));
      continue;
    }
    const bool against = answered && change > 0;
    html += fmt::format(
        "{}<span class='{}{}' title='vector turns by {:.4f}'><b style='--v:{:.2f}'>{}</b>"
        "<i>{}</i></span>",
        space ? "\n" : "", space ? "w" : "", against ? " no" : "", t.vector,
        std::abs(change) / scale, escape_html(text),
        answered ? signed_number(change) : fmt::format("{:.3f}", change));
  }
  return html + "</p>\n";
}

/// Tokens × layers: how far the hidden states turn.
std::string layers_html(const Inspection& seen) {
  std::vector<const TokenView*> shown;
  for (const TokenView& t : seen.tokens)
    if (t.replaced) shown.push_back(&t);
  if (shown.empty()) return "";
  const std::size_t all = shown.size(), columns = shown.front()->layers.size();
  if (all > kRows) {
    std::vector<const TokenView*> order = shown;
    std::ranges::stable_sort(order, std::ranges::greater(), &TokenView::vector);
    const double least = order[kRows - 1]->vector;
    std::erase_if(shown, [&](const TokenView* t) { return t->vector < least; });
    shown.resize(std::min(shown.size(), kRows));
  }
  double most = 1e-9;
  for (const TokenView* t : shown) most = std::max(most, std::ranges::max(t->layers));
  std::string html =
      "<h2>How far a token reaches</h2>\n<p class='n dim'>The same replacements, seen in the "
      "hidden "
      "state after the embeddings (e) and after each layer: 1 − cosine, in per cent, the mean over "
      "the text's rows. A layer that mixes spreads one token's change over the whole text.";
  if (all > kRows)
    html += fmt::format(" The {} of {} tokens that turn the vector most.", shown.size(), all);
  html += fmt::format("</p>\n<div class='wide'><table class='h{}'><tr><th class='t'>token<th>e",
                      columns <= kNumbered ? "" : " slim");
  for (std::size_t i = 1; i < columns; ++i) html += fmt::format("<th>{}", i - 1);
  html += "</tr>\n";
  for (const TokenView* t : shown) {
    html += "<tr><th class='t'>" + escape_html(text_of(*t).first);
    for (std::size_t i = 0; i < columns; ++i) {
      const double value = t->layers[i];
      html += fmt::format("<td style='--v:{:.2f}' title='{:.2f} %'>", value / most, 100 * value);
      if (columns <= kNumbered) html += fmt::format("{:.{}f}", 100 * value, most < 0.095 ? 1 : 0);
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

struct Line {
  std::string_view style;
  const StateView* state;
};

constexpr std::string_view kBefore = "stroke='var(--dim)' stroke-width='1'";
constexpr std::string_view kMixed = "stroke='var(--b)' stroke-width='1.6' stroke-dasharray='4 2'";
constexpr std::string_view kAfter = "stroke='var(--a)' stroke-width='1.8'";

std::string key(std::string_view name, std::string_view style) {
  return fmt::format(
      "<span><svg width='26' height='10' aria-hidden='true'><path d='M1 5H25' fill='none' "
      "{}/></svg> {}</span>",
      style, name);
}

/// A small chart: energy in dB from `floor` to 0 over 0 … 0.5 cycles a token.
std::string spectrum(const std::string& caption, std::span<const Line> lines, double floor) {
  constexpr double width = 184, height = 116, left = 30, bottom = 18, top = 6, right = 10;
  const auto px = [&](double share) { return left + 6 + share * (width - left - right - 6); };
  const auto py = [&](double dB) {
    return top + std::max(dB, floor) / floor * (height - top - bottom);
  };
  std::string svg;
  const double step = floor < -50 ? 20 : 10;
  for (double y = 0; y >= floor; y -= step) {
    svg += fmt::format(
        "<path d='M{} {:.1f}H{}' stroke='var(--line)'/><text x='{}' y='{:.1f}' "
        "text-anchor='end'>{}{:.0f}{}</text>",
        left, py(y), width - right, left - 4, py(y) + 3.5, y < 0 ? "−" : "", std::abs(y),
        y < 0 ? "" : " dB");
  }
  for (const double x : {0.0, 0.5, 1.0})
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{:g}</text>", px(x),
                       height - 4, x / 2);
  for (const Line& line : lines) {
    const std::vector<double> points = decibels(line.state->energy, kPoints);
    svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='2.4' fill='none' {}/>", px(0),
                       py(points[0]), line.style.substr(0, line.style.find(" stroke-dash")));
    std::string path;
    for (std::size_t p = 1; p < points.size(); ++p) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L',
                          px(static_cast<double>(p) / static_cast<double>(points.size() - 1)),
                          py(points[p]));
    }
    if (!path.empty()) svg += fmt::format("<path d='{}' fill='none' {}/>", path, line.style);
  }
  return fmt::format(
      "<figure><svg viewBox='0 0 {} {}' role='img' aria-label='energy by frequency, {}'>"
      "<g font-size='10' fill='var(--dim)'>{}</g></svg><figcaption>{}</figcaption></figure>\n",
      width, height, escape_html(caption), svg, escape_html(caption));
}

std::string spectra_html(const Inspection& seen, const Config& config) {
  double floor = -20;
  for (const StateView& state : seen.states)
    floor = std::min(floor, std::ranges::min(decibels(state.energy, kPoints)));
  floor = std::max(-80.0, 10 * std::floor(floor / 10));
  std::string html = fmt::format(
      "<h2>Energy by frequency</h2>\n<p class='n dim'>Each column of the hidden state is a signal "
      "along the text. Left is what stays the same over the whole text (the circle), right, at 0.5 "
      "cycles a token, what changes sign from token to token. The height is a frequency's share of "
      "the energy, in decibels: −10 is a tenth, −20 a hundredth.</p>\n<p class='key'>{}{}{}</p>\n"
      "<div class='spectra'>",
      key("before the layer", kBefore), key("after its mixing", kMixed),
      key("after the layer", kAfter));
  for (std::size_t i = 1; i + 1 < seen.states.size(); i += 2) {
    const Line lines[] = {
        {kBefore, &seen.states[i - 1]}, {kMixed, &seen.states[i]}, {kAfter, &seen.states[i + 1]}};
    html += spectrum(
        fmt::format("layer {}: {}", seen.states[i].layer, config.mixer(seen.states[i].layer)),
        lines, floor);
  }
  return html + "</div>\n";
}

std::string norms_html(const Inspection& seen, const Config& config) {
  std::string html =
      "<h2>Norms</h2>\n<p class='n dim'><b>Norm</b> is the mean length of the text's rows after "
      "the "
      "step. <b>Adds</b> is the length of what the step adds, divided by that of what was there: "
      "under 1 the step corrects the state, over 1 it replaces it. <b>Constant</b> is the share of "
      "the energy that all rows have in common, <b>frequency</b> the mean of the rest, in cycles a "
      "token.</p>\n<div class='wide'><table><tr><th class='l'>after<th>norm<th>adds<th>constant"
      "<th>frequency</tr>\n";
  for (const StateView& state : seen.states) {
    html += fmt::format("<tr><td class='l'>{}<td>{:.2f}<td>{}<td>{:.1f} %<td>{:.3f}</tr>\n",
                        escape_html(name_of(state, config)), state.norm,
                        state.added > 0 ? fmt::format("{:.2f}", state.added) : "",
                        100 * state.energy[0], state.mean_frequency(seen.tokens.size()));
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string name_of(const StateView& state, const Config& config) {
  switch (state.stage) {
    case Stage::embeddings:
      return "embeddings";
    case Stage::mixing:
      return fmt::format("{} {}", state.layer, config.mixer(state.layer));
    case Stage::feed_forward:
      return fmt::format("{} {}", state.layer, config.ffn_type);
    case Stage::final_norm:
      break;
  }
  return "final norm";
}

std::vector<double> decibels(const std::vector<double>& energy, std::size_t most) {
  const auto dB = [](double share) { return 10 * std::log10(std::max(share, 1e-15)); };
  std::vector<double> points = {dB(energy[0])};
  const std::size_t rest = energy.size() - 1, count = std::min(rest, most);
  for (std::size_t p = 0; p < count; ++p) {
    const std::size_t begin = 1 + p * rest / count, end = 1 + (p + 1) * rest / count;
    double sum = 0;
    for (std::size_t k = begin; k < end; ++k) sum += energy[k];
    points.push_back(dB(sum / static_cast<double>(end - begin)));
  }
  return points;
}

std::string summary_of(std::string_view model, const Config& config) {
  std::vector<std::string> mixers;
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    if (std::ranges::find(mixers, config.mixer(i)) == mixers.end())
      mixers.push_back(config.mixer(i));
  }
  return fmt::format("{}: {} layers of {} columns, {} and {}, {}", model, config.num_hidden_layers,
                     config.hidden_size, fmt::join(mixers, ", "), config.ffn_type, config.task);
}

std::string inspection_page(std::string_view model, const Config& config, const Inspection& seen) {
  std::string body = fmt::format(
      "<p class='dim'>{} · {} tokens{}</p>\n", escape_html(summary_of(model, config)),
      seen.tokens.size(),
      seen.texts > 1 ? fmt::format(", the first of {} texts that it reads here", seen.texts) : "");
  body += answers_html(seen) + tokens_html(seen) + layers_html(seen) + spectra_html(seen, config) +
          norms_html(seen, config);
  return html_page(fmt::format("Inside {}", model), body, kStyle);
}

}  // namespace fnet::cli
