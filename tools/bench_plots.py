# SPDX-License-Identifier: Apache-2.0
"""Draws the benchmarks' figures as SVG: bars for one problem, lines for how a cost grows.

Usage: python3 tools/bench_plots.py [RESULTS.md]. Draws the two plots of the README again, from the recorded figures.
"""
import math
import pathlib
import re
import sys
from xml.sax.saxutils import escape

COLOURS = {"ours": "#0b6e4f", "tbb": "#4361ee", "asio": "#f3722c", "std": "#8d99ae", "raw": "#2b2d42", "boost": "#9d4edd", "fiber": "#e5989b",
           "rayon": "#b5651d", "go": "#00add8", "relacy": "#c1121f", "absl": "#f9c74f"}
WIDTH, HALF = 720, 430

# The README's plots: a title, and the cases of run_benchmarks in it with what the reader needs to know of each.
OVERVIEWS = {
    "overview-tasks": ("What a task costs", [
        ("submit, 1 producer", "ns for an empty task: one thread adds, two workers run"),
        ("submit and collect", "ns for a task with a result, which is collected"),
        ("nested waits", "ns for a task that adds a task and waits for it, 20 deep"),
    ]),
    "overview-stops": ("What a stop costs", [
        ("cancel 111,111 groups", "ms to stop a tree of 111,111 groups"),
        ("cancel a chain of 100,000", "ms to stop a chain of 100,000 groups"),
        ("wake 1,000 sleepers", "ms until the last of 1,000 sleeping threads runs"),
    ]),
}


def _text(x, y, text, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-family="sans-serif" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height, parts, width=WIDTH):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}">'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def bars(title, groups, width=WIDTH):
    """`groups`: (label, {library: value}) for each case; shorter is better."""
    parts = [_text(12, 24, f"{title}: shorter is better", size=15)]
    y = 44.0
    for label, medians in groups:
        parts.append(_text(12, y + 10, label))
        y += 18
        most = max(medians.values()) or 1.0
        for library, value in sorted(medians.items(), key=lambda item: item[1]):
            length = max(1.0, (width - 240) * value / most)
            parts.append(_text(70, y + 12, library, "end"))
            parts.append(f'<rect x="78" y="{y:.1f}" width="{length:.1f}" height="15" fill="{COLOURS.get(library, "#adb5bd")}"/>')
            parts.append(_text(84 + length, y + 12, f"{value:,.4g}"))
            y += 20
        y += 12
    return _svg(y, parts, width)


def lines(title, x_name, y_name, series):
    """`series`: {library: [(x, y), ...]}; both axes are logarithmic."""
    left, top, right, bottom = 70, 44, WIDTH - 90, 340
    points = [p for line in series.values() for p in line if p[0] > 0 and p[1] > 0]
    if not points:
        return _svg(60, [_text(12, 24, f"{title}: nothing measured")])
    low_x, high_x = (math.log10(f(p[0] for p in points)) for f in (min, max))
    low_y, high_y = (math.log10(f(p[1] for p in points)) for f in (min, max))
    low_y, high_y = math.floor(low_y), math.ceil(high_y + 1e-9)
    span_x, span_y = (high_x - low_x) or 1.0, (high_y - low_y) or 1.0

    def place(x, y):
        return left + (right - left) * (math.log10(x) - low_x) / span_x, bottom - (bottom - top) * (math.log10(y) - low_y) / span_y

    parts = [_text(12, 24, title, size=15), _text((left + right) / 2, bottom + 40, x_name, "middle"), _text(12, top - 4, y_name)]
    for power in range(low_y, high_y + 1):
        _, y = place(10 ** low_x, 10 ** power)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dee2e6"/>')
        parts.append(_text(left - 6, y + 4, f"{10 ** power:g}", "end"))
    for x in sorted({p[0] for p in points}):
        at, _ = place(x, 10 ** low_y)
        parts.append(_text(at, bottom + 18, f"{x:,}", "middle", 11))
    for library, line in series.items():
        line = [p for p in line if p[1] > 0]
        if not line:
            continue
        colour = COLOURS.get(library, "#adb5bd")
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = place(*line[-1])
        parts.append(_text(x + 6, y + 4, library))
    return _svg(bottom + 54, parts)


def medians(results, case):
    """{library: median} of a case in the text of RESULTS.md; empty if it is not there."""
    section = re.search(rf"^### {re.escape(case)}\n(.*?)(?=^###|\Z)", results, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| (\w+) \| ([\d.,]+) \|", section[1], re.MULTILINE) if section else []
    return {library: float(value.replace(",", "")) for library, value in rows}


def write_overviews(results, folder):
    for name, (title, cases) in OVERVIEWS.items():
        groups = [(label, medians(results, case)) for case, label in cases]
        (folder / f"{name}.svg").write_text(bars(title, [group for group in groups if group[1]], HALF))


if __name__ == "__main__":
    recorded = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / "bench/RESULTS.md")
    write_overviews(recorded.read_text(), recorded.parent / "plots")
