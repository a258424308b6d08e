#include "train/report.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/html.h"

namespace fnet {
namespace {

/// Classes that the confusion matrix shows: the most frequent ones.
constexpr std::size_t kMatrixClasses = 30;
/// Bytes of a text in the table of errors.
constexpr std::size_t kShownText = 400;

/// Errors that stand open; the rest is folded.
constexpr std::size_t kOpenErrors = 15;
/// Characters of a label until it breaks into lines.
constexpr std::size_t kLabel = 24;

/// Bytes of a text between two masked tokens.
constexpr std::size_t kShownPart = 1000;

constexpr std::string_view kStyle = R"(
.f b{color:var(--a)}.f del{color:var(--b)}.f ins{text-decoration:none;border-bottom:1px solid var(--dim)}
.m td{border:0;padding:.15rem .3rem;text-align:center;min-width:1.7rem;font-size:.8rem}
.m th{border:0;font-weight:400;font-size:.8rem;padding:.1rem .3rem;white-space:nowrap}
.m th.c{writing-mode:vertical-rl;text-align:left}
.best{font-weight:700}
@media(max-width:36rem){
.e tr{display:grid;grid-template-columns:3rem 1fr 1fr 3rem}.e th.t{display:none}.e td.x{grid-column:1/-1}
.e td,.e th{border:0}.e td.x{border-bottom:1px solid var(--line);min-width:0;padding-left:0}
.m td{min-width:0;padding:.05rem .1rem;font-size:.6rem}.m th{font-size:.6rem;padding:.05rem}
.s tr{display:block}.s td{display:block;border:0}.s td.x{min-width:0;padding:0 0 .3rem;color:var(--dim)}
}
)";

std::string number(double value) { return fmt::format("{:.4f}", value); }

/// A label that may break between its words only: after `_`, `-`, `.` and `/` too.
std::string label_html(std::string_view label) {
  std::string out;
  std::size_t since = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const std::string_view one = label.substr(i, 1);
    out += escape_html(one);
    if (label.size() > kLabel && since > 4 && std::string_view("_-./:").find(one) < 5)
      out += "<wbr>", since = 0;
    ++since;
  }
  return out;
}

/// Ends of an axis and its marks: round numbers around what is drawn.
struct Axis {
  double low = 0, high = 1, step = 1;

  Axis(double least, double most) {
    const double width = std::max(most - least, 1e-3 * std::max(1.0, std::abs(most)));
    const double power = std::pow(10.0, std::floor(std::log10(width / 3)));
    step = power;
    for (const double factor : {2.0, 5.0, 10.0})
      if (width / step > 4.5) step = power * factor;
    low = std::floor(least / step + 1e-9) * step;
    high = std::ceil(most / step - 1e-9) * step;
    if (high - low < step / 2) high = low + step;
  }
};

/// What a run is counted in: epochs, or steps where the options say how many.
struct Unit {
  std::string_view name;
  bool steps;

  explicit Unit(const nlohmann::ordered_json& run)
      : name(run.contains("steps") ? "step" : "epoch"), steps(run.contains("steps")) {}
  std::int64_t of(const EpochReport& epoch) const { return steps ? epoch.step : epoch.epoch; }
};

/// A line of a chart: a point for each epoch.
struct Curve {
  std::string_view name, colour;
  std::vector<std::pair<double, double>> points;
};

/// A line chart over epochs or steps.
std::string chart(std::string_view caption, const std::vector<Curve>& curves,
                  std::string_view unit) {
  constexpr double width = 440, height = 220, left = 46, bottom = 26, top = 12, right = 14;
  double least = 1e300, most = -1e300, first = 1e300, last = -1e300;
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      if (!std::isfinite(y)) continue;
      least = std::min(least, y), most = std::max(most, y);
      first = std::min(first, x), last = std::max(last, x);
    }
  }
  if (least > most) return "";
  const Axis axis(least, most);
  const double span = std::max(last - first, 1e-9);
  const auto px = [&](double x) { return left + (x - first) / span * (width - left - right); };
  const auto py = [&](double y) {
    return top + (axis.high - y) / (axis.high - axis.low) * (height - top - bottom);
  };
  std::string svg;
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(axis.step) - 1e-9)));
  for (double y = axis.low; y < axis.high + axis.step / 2; y += axis.step) {
    svg += fmt::format(
        "<path d='M{0} {1:.1f}H{2}' stroke='var(--line)' fill='none'/>"
        "<text x='{3}' y='{4:.1f}' text-anchor='end'>{5:.{6}f}</text>",
        left, py(y), width - right, left - 6, py(y) + 4, y, digits);
  }
  const auto every = std::max(1.0, std::ceil(span / 6));
  for (double x = first; x <= last; x += every)
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{:g}</text>", px(x),
                       height - 8, x);
  for (const Curve& curve : curves) {
    std::string line, dots;
    for (const auto& [x, y] : curve.points) {
      if (!std::isfinite(y)) continue;
      line += fmt::format("{:.1f},{:.1f} ", px(x), py(y));
      dots += fmt::format(
          "<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='var({})'><title>{}, {} {:g}: "
          "{:.4f}</title></circle>",
          px(x), py(y), curve.colour, escape_html(curve.name), unit, x, y);
    }
    svg += fmt::format("<polyline points='{}' fill='none' stroke='var({})' stroke-width='2'/>{}",
                       line, curve.colour, dots);
  }
  std::string names;
  for (const Curve& curve : curves)
    names += fmt::format("{}<span style='color:var({})'>●</span> {}", names.empty() ? "" : " · ",
                         curve.colour, escape_html(curve.name));
  return fmt::format(
      "<figure><svg viewBox='0 0 {0} {1}' role='img' aria-label='{2}'><g font-size='12' "
      "fill='var(--dim)'>{3}</g></svg><figcaption>{4}</figcaption></figure>\n",
      width, height, escape_html(caption), svg, names);
}

std::string curves(const TrainingReport& report, const Unit& unit) {
  Curve loss{"training loss", "--b", {}}, dev_loss{"dev loss", "--a", {}};
  Curve metric{report.metric, "--a", {}};
  for (const EpochReport& epoch : report.epochs) {
    const auto x = static_cast<double>(unit.of(epoch));
    loss.points.emplace_back(x, epoch.loss);
    dev_loss.points.emplace_back(x, epoch.dev_loss);
    for (const auto& [name, value] : epoch.metrics) {
      if (name == report.metric) metric.points.emplace_back(x, value);
    }
  }
  const std::string name = "dev " + report.metric;
  metric.name = name;
  return "<h2>Curves</h2>\n<div class='charts'>" +
         chart(fmt::format("losses by {}", unit.name), {loss, dev_loss}, unit.name) +
         chart(fmt::format("{} by {}", name, unit.name), {metric}, unit.name) + "</div>\n";
}

std::string epochs_table(const TrainingReport& report, const Unit& unit) {
  if (report.epochs.empty()) return "";
  std::string html =
      fmt::format("<h2>{}</h2>\n<div class='wide'><table><tr><th>{}<th>loss<th>dev loss",
                  unit.steps ? "Evaluations" : "Epochs", unit.name);
  for (const auto& [name, value] : report.epochs.front().metrics)
    html += "<th>" + escape_html(name);
  html += "<th class='o'>seconds<th class='o'>tokens/s</tr>\n";
  for (const EpochReport& epoch : report.epochs) {
    html += fmt::format("<tr{}><td>{}<td>{:.4f}<td>{:.4f}",
                        epoch.epoch == report.best_epoch ? " class='best'" : "", unit.of(epoch),
                        epoch.loss, epoch.dev_loss);
    for (const auto& [name, value] : epoch.metrics) html += "<td>" + number(value);
    html += fmt::format("<td class='o'>{:.1f}<td class='o'>{:.0f}</tr>\n", epoch.seconds,
                        epoch.tokens_per_second);
  }
  return html + "</table></div>\n";
}

std::string classes_table(std::string_view title, const std::vector<ClassScore>& classes) {
  if (classes.empty()) return "";
  std::string html = fmt::format(
      "<h2>{}</h2>\n<div class='wide'><table><tr><th "
      "class='l'>name<th>precision<th>recall<th>F1<th>count</tr>\n",
      title);
  for (const ClassScore& row : classes) {
    html += fmt::format("<tr><td class='l'>{}<td>{}<td>{}<td>{}<td>{}</tr>\n", label_html(row.name),
                        number(row.precision), number(row.recall), number(row.f1), row.support);
  }
  return html + "</table></div>\n";
}

std::string confusion_matrix(const ClassificationReport& report) {
  if (report.count == 0) return "";
  std::vector<std::size_t> shown(report.classes.size());
  for (std::size_t i = 0; i < shown.size(); ++i) shown[i] = i;
  std::string note = "Rows are the truth, columns the answers.";
  if (shown.size() > kMatrixClasses) {
    std::ranges::stable_sort(shown, [&](std::size_t a, std::size_t b) {
      return report.classes[a].support > report.classes[b].support;
    });
    shown.resize(kMatrixClasses);
    std::ranges::sort(shown);
    note +=
        fmt::format(" The {} most frequent of {} classes.", kMatrixClasses, report.classes.size());
  }
  std::string html = fmt::format(
      "<h2>Confusion matrix</h2>\n<p class='dim'>{}</p><div class='wide'><table class='m'><tr><th>",
      note);
  for (const std::size_t c : shown)
    html += "<th class='c'>" + escape_html(printable(report.classes[c].name, kLabel));
  html += "</tr>\n";
  for (const std::size_t r : shown) {
    const double total = std::max<double>(1, static_cast<double>(report.classes[r].support));
    html += "<tr><th class='t'>" + escape_html(printable(report.classes[r].name, kLabel));
    for (const std::size_t c : shown) {
      const std::size_t count = report.confused(r, c);
      const double share = static_cast<double>(count) / total;
      html += count == 0
                  ? "<td>"
                  : fmt::format("<td style='background:rgba({},{:.2f})'>{}",
                                r == c ? "31,111,235" : "209,87,10", 0.08 + 0.6 * share, count);
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

std::string errors_table(std::span<const Mistake> mistakes) {
  std::string html =
      "<div class='wide'><table class='e'><tr><th>line<th class='l'>truth<th "
      "class='l'>answer<th>score<th "
      "class='t'>text</tr>\n";
  for (const Mistake& mistake : mistakes) {
    html +=
        fmt::format("<tr><td>{}<td class='l'>{}<td class='l'>{}<td>{:.2f}<td class='x'>{}</tr>\n",
                    mistake.line, label_html(mistake.truth), label_html(mistake.answer),
                    mistake.score, escape_html(printable(mistake.text, kShownText)));
  }
  return html + "</table></div>\n";
}

std::string worst_errors(std::span<const Mistake> worst) {
  if (worst.empty()) return "";
  const std::size_t open = std::min(worst.size(), kOpenErrors);
  std::string html =
      "<h2>Worst errors</h2>\n<p class='dim'>Wrong answers on dev, the most confident first.</p>" +
      errors_table(worst.first(open));
  if (open < worst.size()) {
    html += fmt::format("<details><summary>{} more</summary>\n{}</details>\n", worst.size() - open,
                        errors_table(worst.subspan(open)));
  }
  return html;
}

/// Texts with what a masked language model puts in place of hidden tokens.
std::string filled_texts(std::span<const FilledText> texts) {
  if (texts.empty()) return "";
  std::string html =
      "<h2>Filled in</h2>\n<p class='dim'>Texts of dev with the model's answer for each masked "
      "token; a wrong one is struck out and followed by what stood there.</p>\n";
  const auto token = [](std::string_view piece) {  // without the mark of a space before it
    constexpr std::string_view kSpace = "\xe2\x96\x81";
    if (piece.starts_with(kSpace)) piece.remove_prefix(kSpace.size());
    return escape_html(printable(piece));
  };
  for (const FilledText& text : texts) {
    html += "<p class='f'>";
    for (const FilledText::Part& part : text.parts) {
      html += escape_html(printable(part.text, kShownPart));
      if (part.truth.empty()) continue;
      const bool space = part.truth.starts_with("\xe2\x96\x81");
      const bool right = part.truth == part.answer;
      html += fmt::format("{}<{} title='{:.2f}'>{}</{}>", space ? " " : "", right ? "b" : "del",
                          part.score, token(part.answer), right ? "b" : "del");
      if (!right) html += fmt::format("<ins>{}</ins>", token(part.truth));
    }
    html += "</p>\n";
  }
  return html;
}

/// Rows of a table, nested objects by dotted names; long lists are cut.
void settings_rows(std::string& html, const std::string& prefix,
                   const nlohmann::ordered_json& object) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object() && !value.empty() && key != "id2label" && key != "label2id") {
      settings_rows(html, name, value);
      continue;
    }
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (key == "label2id") continue;
    html += fmt::format("<tr><td class='l'>{}<td class='x'>{}</tr>\n", escape_html(name),
                        escape_html(text));
  }
}

std::string best_text(const TrainingReport& report, const Unit& unit) {
  if (!unit.steps)
    return fmt::format("<p>Best epoch {} of {}", *report.best_epoch, report.epochs.size());
  const auto best = std::ranges::find(report.epochs, *report.best_epoch, &EpochReport::epoch);
  return fmt::format("<p>Best at step {} of {}", best->step, report.steps);
}

/// What the training data are called: a file's name, of several the first one's.
std::string data_name(const nlohmann::ordered_json& run) {
  const auto found = run.find("train");
  if (found == run.end() || found->empty()) return "";
  const auto& first = found->is_array() ? found->front() : *found;
  const std::string name = std::filesystem::path(first.get<std::string>()).filename().string();
  return found->size() > 1 ? fmt::format("{} and {} more", name, found->size() - 1) : name;
}

/// What is known of a task's answers beside its metrics.
std::string details(const Evaluation& best) {
  const std::string entities =
      best.entities ? classes_table("Entities", best.entities->classes) : "";
  return entities + classes_table("Classes", best.report ? best.report->classes : best.labels) +
         (best.report ? confusion_matrix(*best.report) : "") + worst_errors(best.worst);
}

/// What a run learned from, or its tasks' names where they are several.
std::string subject(const nlohmann::ordered_json& run) {
  if (!run.contains("tasks"))
    return fmt::format("{} on {}", run.value("task", "training"), data_name(run));
  std::string names;
  for (const auto& [name, task] : run["tasks"].items())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  return names;
}

}  // namespace

std::string html_report(const nlohmann::ordered_json& run, const TrainingReport& report,
                        const Evaluation& best) {
  const std::string title = fmt::format(
      "{}: {}", std::filesystem::path(run.value("out", "model")).filename().string(), subject(run));
  const Unit unit(run);
  std::string html;
  if (report.best_epoch) {
    html += *report.best_epoch > 0
                ? best_text(report, unit)
                : fmt::format("<p>The starting model, best of {} {}", report.epochs.size(),
                              unit.steps ? "evaluations" : "epochs");
    html += fmt::format(" by dev {}: <b>{}</b>", escape_html(report.metric), number(report.best));
    for (const auto& [name, value] : best.metrics) {
      if (name != report.metric) html += fmt::format(" · {} {}", escape_html(name), number(value));
    }
    html += fmt::format(" · loss {:.4f}</p>\n", best.loss);
  }
  if (report.skipped_steps > 0) {
    html += fmt::format("<p>{} steps were skipped: their loss or gradient was not finite.</p>\n",
                        report.skipped_steps);
  }
  html +=
      curves(report, unit) + epochs_table(report, unit) + filled_texts(best.filled) + details(best);
  for (const Evaluation& head : best.heads)
    html += fmt::format("<h2>{}: {} {}</h2>\n", escape_html(head.head), head.count, head.unit) +
            details(head);
  html += "<details><summary>Settings: run.json</summary>\n<table class='s'>\n";
  settings_rows(html, "", run);
  return html_page(title, html + "</table></details>\n", kStyle);
}

}  // namespace fnet
