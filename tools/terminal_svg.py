# SPDX-License-Identifier: Apache-2.0
"""Draws what a terminal showed as an animated SVG: a strip of all frames that moves past a window of one screen.

The picture needs no script, so it also plays where an <img> shows it. A line that several frames share is drawn once and
referred to by the others. Viewers that do not animate, and readers who asked for reduced motion, see the last frame.
"""
import itertools
import re
from xml.sax.saxutils import escape, quoteattr

FONT_SIZE = 14
COLUMN, ROW = 8.4, 18  # of a character: usual monospace fonts are 0.6 of their size wide, and each run is fitted to that
MARGIN, BAR = 14, 34   # around the screen, and the height of the window's bar above it
COLOURS = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}  # SGR parameters -> class

STYLE = """\
text{font:%dpx ui-monospace,'SFMono-Regular',Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d0d7de}
.b{font-weight:bold;fill:#fff}.d{fill:#8b949e}.r{fill:#ff7b72}.g{fill:#7ee787}.y{fill:#e3b341}.c{fill:#79c0ff}
#film{animation:film %.2fs step-end infinite}
@media (prefers-reduced-motion:reduce){#film{animation:none}}
@keyframes film{%s}"""


def settled(frames, pause=0.04):
    """Without the frames that were on the screen for less than `pause` seconds, or that show what the one before shows."""
    kept = []
    for at, (begin, lines) in enumerate(frames):
        last = at + 1 == len(frames)
        if (last or frames[at + 1][0] - begin >= pause) and (not kept or kept[-1][1] != lines):
            kept.append((begin, lines))
    return kept


def runs(line):
    """(column, text, style) of the parts of a line that are drawn in one piece: of one style, and without wide gaps."""
    for style, cells in itertools.groupby(enumerate(line), key=lambda cell: cell[1][1]):
        cells = list(cells)
        for match in re.finditer(r"\S+(?: \S+)*", "".join(character for _, (character, _) in cells)):
            yield cells[0][0] + match.start(), match[0], style


def drawn(line):
    """The elements of one line, or nothing if it is blank."""
    parts = []
    for column, text, style in runs(line):
        kind = f' class="{COLOURS[style]}"' if style else ""
        parts.append(f'<text x="{column * COLUMN:g}"{kind} textLength="{len(text) * COLUMN:g}">{escape(text)}</text>')
    return "".join(parts)


def animation(frames, title, hold):
    """The SVG of `frames`: (seconds, lines) as terminal.Session keeps them; the last one stays for `hold` seconds."""
    frames = settled(frames)
    columns, rows = len(frames[0][1][0]), len(frames[0][1])
    width, height = columns * COLUMN, rows * ROW
    start, length = frames[0][0], frames[-1][0] - frames[0][0] + hold
    known, strip, steps = {}, [], []
    for number, (begin, lines) in enumerate(frames):
        parts = []
        for row, line in enumerate(lines):
            if text := drawn(line):
                name = known.setdefault(text, f"l{len(known)}")
                parts.append(f'<use href="#{name}" y="{row * ROW + FONT_SIZE}"/>')
        strip.append(f'<g transform="translate(0 {number * height})">{"".join(parts)}</g>')
        steps.append(f"{100 * (begin - start) / length:.2f}%{{transform:translateY({-number * height}px)}}")
    full_width, full_height = width + 2 * MARGIN, height + BAR + MARGIN
    lights = "".join(f'<circle cx="{MARGIN + 6 + 18 * n}" cy="{BAR / 2:g}" r="5" fill="{colour}"/>'
                     for n, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f")))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full_width:g} {full_height:g}" width="{full_width:g}" '
        f'height="{full_height:g}" role="img" aria-label={quoteattr(title)}>',
        f"<style>{STYLE % (FONT_SIZE, length, ''.join(steps))}</style>",
        "<defs>", *(f'<g id="{name}">{text}</g>' for text, name in known.items()), "</defs>",
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>{lights}',
        f'<text x="{full_width / 2:g}" y="{BAR / 2 + 5:g}" class="d" text-anchor="middle">{escape(title)}</text>',
        f'<svg x="{MARGIN}" y="{BAR}" width="{width:g}" height="{height}">',
        f'<g id="film" transform="translate(0 {-(len(frames) - 1) * height})">', *strip, "</g></svg>", "</svg>", ""])
