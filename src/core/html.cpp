#include "core/html.h"

#include <fmt/format.h>

namespace fnet {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6470;--line:#d5d9de;--a:#1f6feb;--b:#c2500a;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa4af;--line:#3a414a;--a:#6cb0ff;--b:#ff9c5a;--paper:#14171a}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin-top:2.2rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
td:first-child,th:first-child{padding-left:0}
.t{text-align:left}td.l,th.l{text-align:left;min-width:5rem}td.x{text-align:left;min-width:16rem;max-width:40rem;overflow-wrap:anywhere}
.dim{color:var(--dim)}
.charts{display:flex;flex-wrap:wrap;gap:1rem 2rem}
figure{margin:0;flex:1 1 20rem;max-width:30rem}figure svg{width:100%;height:auto;display:block}
figcaption{font-size:.85rem;color:var(--dim)}
summary{cursor:pointer;color:var(--dim);margin:.6rem 0}
@media(max-width:36rem){
table{font-size:.74rem}td,th{padding:.15rem .25rem}td.l,th.l{min-width:0}.o{display:none}.charts{gap:1rem}
}
)";

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

std::string html_page(std::string_view title, std::string_view body, std::string_view style) {
  return fmt::format(
      "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
      "<meta name='viewport' content='width=device-width,initial-scale=1'>"
      "<title>{0}</title><style>{1}{2}</style>\n<h1>{0}</h1>\n{3}</html>\n",
      escape_html(title), kStyle, style, body);
}

}  // namespace fnet
