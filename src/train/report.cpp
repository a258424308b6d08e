#include "train/report.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace fnet {
namespace {

/// Classes that the confusion matrix shows: the most frequent ones.
constexpr std::size_t kMatrixClasses = 30;
/// Bytes of a text in the table of errors.
constexpr std::size_t kShownText = 400;

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#667;--line:#d5d9de;--a:#1f6feb;--b:#d1570a;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa4af;--line:#3a414a;--a:#6cb0ff;--b:#ff9c5a;--paper:#14171a}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
td.t,th.t{text-align:left;overflow-wrap:anywhere}
.m td{border:0;padding:.15rem .3rem;text-align:center;min-width:1.7rem;font-size:.8rem}
.m th{border:0;font-weight:400;font-size:.8rem;padding:.1rem .3rem}
.m th.c{writing-mode:vertical-rl;text-align:left}
.best{font-weight:700}.dim{color:var(--dim)}.wide{overflow-x:auto}
figure{display:inline-block;margin:0 2rem 1rem 0}figcaption{font-size:.85rem;color:var(--dim)}
)";

std::string percent(double value) { return fmt::format("{:.2f}", 100 * value); }

/// A line chart of (x, y) with both ends of the y axis named.
std::string chart(std::string_view caption, std::string_view colour,
                  const std::vector<std::pair<double, double>>& points) {
  constexpr double width = 440, height = 200, left = 48, bottom = 24, top = 10, right = 10;
  if (points.empty()) return "";
  double low = points[0].second, high = low;
  for (const auto& [x, y] : points) low = std::min(low, y), high = std::max(high, y);
  if (high - low < 1e-9) low -= 0.5, high += 0.5;
  const double first = points.front().first, last = std::max(points.back().first, first + 1e-9);
  const auto px = [&](double x) {
    return left + (x - first) / (last - first) * (width - left - right);
  };
  const auto py = [&](double y) {
    return top + (high - y) / (high - low) * (height - top - bottom);
  };
  std::string line, dots;
  for (const auto& [x, y] : points) {
    line += fmt::format("{:.1f},{:.1f} ", px(x), py(y));
    dots += fmt::format(
        "<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='var({})'><title>{:g}: {:.4f}</title></circle>",
        px(x), py(y), colour, x, y);
  }
  return fmt::format(
      "<figure><svg width='{0}' height='{1}' viewBox='0 0 {0} {1}' role='img' aria-label='{2}'>"
      "<g stroke='var(--line)'><path d='M{3} {4}V{5}H{6}' fill='none'/></g>"
      "<g font-size='11' fill='var(--dim)'><text x='4' y='{7:.1f}'>{8:.3f}</text><text x='4' "
      "y='{9:.1f}'>{10:.3f}</text>"
      "<text x='{3}' y='{11}'>{12:g}</text><text x='{6}' y='{11}' "
      "text-anchor='end'>{13:g}</text></g>"
      "<polyline points='{14}' fill='none' stroke='var({15})' stroke-width='2'/>{16}</svg>"
      "<figcaption>{2}</figcaption></figure>\n",
      width, height, escape_html(caption), left, top, height - bottom, width - right, top + 8, high,
      height - bottom, low, height - 8, first, last, line, colour, dots);
}

std::string curves(const TrainingReport& report) {
  std::vector<std::pair<double, double>> loss, metric;
  for (const EpochReport& epoch : report.epochs) {
    const auto x = static_cast<double>(epoch.epoch);
    loss.emplace_back(x, epoch.loss);
    for (const auto& [name, value] : epoch.metrics) {
      if (name == report.metric) metric.emplace_back(x, value);
    }
  }
  return "<h2>Curves</h2>\n" + chart("training loss by epoch", "--b", loss) +
         chart("dev " + report.metric + " by epoch", "--a", metric);
}

std::string epochs_table(const TrainingReport& report) {
  if (report.epochs.empty()) return "";
  std::string html = "<h2>Epochs</h2>\n<table><tr><th>epoch<th>loss";
  for (const auto& [name, value] : report.epochs.front().metrics)
    html += "<th>" + escape_html(name);
  html += "<th>seconds<th>tokens/s</tr>\n";
  for (const EpochReport& epoch : report.epochs) {
    html += fmt::format("<tr{}><td>{}<td>{:.4f}",
                        epoch.epoch == report.best_epoch ? " class='best'" : "", epoch.epoch,
                        epoch.loss);
    for (const auto& [name, value] : epoch.metrics) html += "<td>" + percent(value);
    html += fmt::format("<td>{:.1f}<td>{:.0f}</tr>\n", epoch.seconds, epoch.tokens_per_second);
  }
  return html + "</table>\n";
}

std::string classes_table(std::string_view title, const std::vector<ClassScore>& classes) {
  if (classes.empty()) return "";
  std::string html = fmt::format(
      "<h2>{}</h2>\n<table><tr><th class='t'>name<th>precision<th>recall<th>F1<th>count</tr>\n",
      title);
  for (const ClassScore& row : classes) {
    html +=
        fmt::format("<tr><td class='t'>{}<td>{}<td>{}<td>{}<td>{}</tr>\n", escape_html(row.name),
                    percent(row.precision), percent(row.recall), percent(row.f1), row.support);
  }
  return html + "</table>\n";
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
  for (const std::size_t c : shown) html += "<th class='c'>" + escape_html(report.classes[c].name);
  html += "</tr>\n";
  for (const std::size_t r : shown) {
    const double total = std::max<double>(1, static_cast<double>(report.classes[r].support));
    html += "<tr><th class='t'>" + escape_html(report.classes[r].name);
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

std::string worst_errors(const std::vector<Mistake>& worst) {
  if (worst.empty()) return "";
  std::string html =
      "<h2>Worst errors</h2>\n<p class='dim'>Wrong answers on dev, the most confident first.</p>"
      "<table><tr><th>line<th class='t'>truth<th class='t'>answer<th>confidence<th "
      "class='t'>text</tr>\n";
  for (const Mistake& mistake : worst) {
    std::string text = mistake.text;
    if (text.size() > kShownText) {
      std::size_t end = kShownText;  // not inside a character
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
      text = text.substr(0, end) + "…";
    }
    html += fmt::format("<tr><td>{}<td class='t'>{}<td class='t'>{}<td>{}<td class='t'>{}</tr>\n",
                        mistake.line, escape_html(mistake.truth), escape_html(mistake.answer),
                        percent(mistake.score), escape_html(text));
  }
  return html + "</table>\n";
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
    html += fmt::format("<tr><td class='t'>{}<td class='t'>{}</tr>\n", escape_html(name),
                        escape_html(text));
  }
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_report(const nlohmann::ordered_json& run, const TrainingReport& report,
                        const Evaluation& best) {
  const std::string task = run.value("task", "training");
  std::string html = fmt::format(
      "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
      "<meta name='viewport' content='width=device-width,initial-scale=1'>"
      "<title>fnet: {0}</title><style>{1}</style>\n<h1>fnet: {0}</h1>\n",
      escape_html(task), kStyle);
  if (report.best_epoch) {
    html += *report.best_epoch > 0
                ? fmt::format("<p>Best epoch {} of {}", *report.best_epoch, report.epochs.size())
                : fmt::format("<p>The starting model, best of {} epochs", report.epochs.size());
    html += fmt::format(" by dev {}: <b>{}</b>", escape_html(report.metric), percent(report.best));
    for (const auto& [name, value] : best.metrics) {
      if (name != report.metric) html += fmt::format(" · {} {}", escape_html(name), percent(value));
    }
    html += fmt::format(" · loss {:.4f}</p>\n", best.loss);
  }
  if (report.skipped_steps > 0) {
    html += fmt::format("<p>{} steps were skipped: their loss or gradient was not finite.</p>\n",
                        report.skipped_steps);
  }
  const std::string entities =
      best.entities ? classes_table("Entities", best.entities->classes) : "";
  html += curves(report) + epochs_table(report) + entities +
          classes_table("Classes", best.report.classes) + confusion_matrix(best.report) +
          worst_errors(best.worst);
  html += "<h2>Settings</h2>\n<table>\n";
  settings_rows(html, "", run);
  return html + "</table>\n</html>\n";
}

}  // namespace fnet
