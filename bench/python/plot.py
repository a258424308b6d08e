"""SVGs: bars of each contender's tokens a second, a panel for each shape; points of quality over speed."""

import math

from results import LABELS, OURS

SHAPES = ("(1,128)", "(8,512)")
ROW, BAR, GAP = 18, 14, 10  # pixels: a contender's height, its bar's, and what parts the types
NAMES, PANEL, NUMBER = 240, 330, 60  # widths: the names, a panel, and the room for a number in it
COLOURS = {"float32": "#3b6fb6", "bfloat16": "#2a9d6e", "int8": "#c8702a"}
STYLE = """\
text { font: 12px sans-serif; fill: #222 }
.head { font-size: 14px; font-weight: bold }
.ours { font-weight: bold }
.value { paint-order: stroke; stroke: #fff; stroke-width: 3px }
.note { fill: #666 }"""


def kind(contender):
    return contender.rpartition("_")[2]


def text(x, y, words, style="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y}" class="{style}" text-anchor="{anchor}">{words}</text>'


def rows(names):
    """Where each contender stands: {name: y}."""
    y, places = 50, {}
    for previous, name in zip([names[0], *names], names):
        y += ROW * bool(places) + GAP * (kind(name) != kind(previous))
        places[name] = y
    return places


def panel(left, cells, places, scale):
    for name, cell in cells.items():
        y, colour = places[name], COLOURS[kind(name)]
        right = left + cell.speed * scale
        yield (f'<rect x="{left}" y="{y}" width="{right - left:.1f}" height="{BAR}" fill="{colour}" '
               f'fill-opacity="{1 if name in OURS else 0.45}"/>')  # fmt: skip
        if cell.fraction:
            x, height = left + cell.speed / cell.fraction * scale, ROW * sum(kind(n) == kind(name) for n in places)
            yield f'<path d="M{x:.1f} {y - 4}v{height + 4}" stroke="{colour}" stroke-dasharray="3 3"/>'
        yield text(right + 4, y + 12, f"{cell.speed:,.0f}", "value")


def plot(results, threads):
    works = results.works(threads)
    works = [work for work in SHAPES if work in works] or works[:2]
    found = {work: {n: cell for n in LABELS if (cell := results.cell(n, work, threads))} for work in works}
    names = [name for name in LABELS if any(name in cells for cells in found.values())]
    places = rows(names)
    widest = max(c.speed / (c.fraction or 1) for cells in found.values() for c in cells.values())
    body = [
        text(NAMES - 8, y + 12, LABELS[name].replace("**", ""), "ours" if name in OURS else "", "end")
        for name, y in places.items()
    ]
    for index, (work, cells) in enumerate(found.items()):
        left = NAMES + index * PANEL
        body.append(text(left, 26, f"{work}, {threads} threads", "head"))
        body += panel(left, cells, places, (PANEL - NUMBER) / widest)
    width, bottom = NAMES + PANEL * len(works), max(places.values()) + ROW
    body.append(text(NAMES, bottom + 20, "Tokens a second; dashed: ours if it reached the machine's peak", "note"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 32}">',
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>\n",
    ])  # fmt: skip


def scatter(points, across, up):
    """Points (name, speed, quality): speed on a logarithmic axis to the right, quality upwards."""
    left, top, width, height = 60, 20, 560, 300
    decades = [math.floor(math.log10(min(p[1] for p in points))), math.ceil(math.log10(max(p[1] for p in points)))]
    low, high = (math.floor(min(p[2] for p in points) / 5) * 5, math.ceil(max(p[2] for p in points) / 5) * 5)

    def x(speed):
        return left + width * (math.log10(speed) - decades[0]) / (decades[1] - decades[0])

    def y(quality):
        return round(top + height * (high - quality) / (high - low))

    body = []
    for power in range(decades[0], decades[1] + 1):
        body.append(f'<path d="M{x(10**power):.1f} {top}v{height}" stroke="#ddd"/>')
        body.append(text(x(10**power), top + height + 18, f"{10**power:,}", "note", "middle"))
    for quality in range(low, high + 1, 5):
        body.append(f'<path d="M{left} {y(quality)}h{width}" stroke="#ddd"/>')
        body.append(text(left - 8, y(quality) + 4, f"{quality}", "note", "end"))
    for name, speed, quality in points:
        ours = name.startswith("fnet")
        colour = COLOURS["float32" if ours else "int8"]
        body.append(f'<circle cx="{x(speed):.1f}" cy="{y(quality)}" r="6" fill="{colour}"/>')
        inside = x(speed) < left + width / 2
        body.append(text(x(speed) + (10 if inside else -10), y(quality) - 8, name, "ours" if ours else "",
                         "start" if inside else "end"))  # fmt: skip
    body.append(text(left + width / 2, top + height + 38, across, "head", "middle"))
    body.append(text(left, top - 6, up, "head"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" height="{top + height + 50}">',
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>\n",
    ])  # fmt: skip
