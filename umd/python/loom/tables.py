# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables for a terminal and for a notebook. The HTML stands alone: no script, no file, no font."""

from __future__ import annotations

import dataclasses
import html
import shutil
from collections.abc import Sequence

# Okabe and Ito's colours, which most kinds of colour blindness keep apart.
COLOURS = {
    "NPU": "#0072b2",
    "CPU": "#e69f00",
    "MXU": "#0072b2",
    "VPU": "#009e73",
    "memory": "#cc79a7",
}
OTHER = "#999999"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: its heading, whether it holds numbers, and whether it may be cut to fit."""

    name: str
    number: bool = False
    cut: bool = False


def count(value: int) -> str:
    """12345 -> "12,345"."""
    return f"{value:,}"


def size(value: int) -> str:
    """Bytes, at most four digits: 1536 -> "1.5 KiB"."""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1000 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.3g} {unit}"


def duration(cycles: int, clock_khz: int) -> str:
    """Cycles of the modelled clock as time: "1.25 ms"."""
    seconds = cycles / (clock_khz * 1000.0) if clock_khz else 0.0
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def text(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Aligned columns; those that may be cut share what the terminal's width leaves."""
    widths = [max(len(c.name), *(len(r[i]) for r in rows), 0) for i, c in enumerate(columns)]
    limit = width or shutil.get_terminal_size((110, 40)).columns
    _shrink(columns, widths, limit)
    lines = [_line(columns, [c.name for c in columns], widths)]
    lines.append("  ".join("-" * w for w in widths))
    lines += [_line(columns, row, widths) for row in rows]
    return "\n".join(lines)


def _shrink(columns: Sequence[Column], widths: list[int], limit: int) -> None:
    cuttable = [i for i, c in enumerate(columns) if c.cut]
    while cuttable and sum(widths) + 2 * (len(widths) - 1) > limit:
        widest = max(cuttable, key=lambda i: widths[i])
        if widths[widest] <= 12:
            return
        widths[widest] -= 1


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        shown = cell if len(cell) <= width else "…" + cell[len(cell) - width + 1 :]
        parts.append(shown.rjust(width) if column.number else shown.ljust(width))
    return "  ".join(parts).rstrip()


STYLE = (
    "font:13px/1.45 system-ui,sans-serif;max-width:100%;overflow-x:auto;color:inherit;"
    "background:transparent"
)
CELL = "padding:2px 10px 2px 0;vertical-align:top;text-align:{};border:0;background:transparent"
MONO = "font-family:ui-monospace,monospace;"


def page(title: str, summary: str, parts: Sequence[str]) -> str:
    """A title, one line below it, and what follows."""
    return (
        f'<div style="{STYLE}"><div style="font-weight:600">{html.escape(title)}</div>'
        f'<div style="margin-bottom:6px;opacity:.75">{html.escape(summary)}</div>'
        + "".join(parts)
        + "</div>"
    )


def html_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    bars: Sequence[tuple[str, float, float]] = (),
) -> str:
    """bars: of each row a colour's name, the bar's length and its solid part, shares of the longest."""
    head = "".join(_cell("th", c, html.escape(c.name)) for c in columns)
    if bars:
        head += f'<th style="{CELL.format("left")};width:220px"></th>'
    body = ""
    for i, row in enumerate(rows):
        cells = "".join(
            _cell("td", c, html.escape(v)) for c, v in zip(columns, row, strict=True)
        )
        if bars:
            cells += f'<td style="{CELL.format("left")}">{_bar(*bars[i])}</td>'
        body += f'<tr style="background:transparent">{cells}</tr>'
    return (
        '<table style="border-collapse:collapse;border:0;margin:0;font-size:12px;line-height:1.4"><thead>'
        f'<tr style="border-bottom:1px solid rgba(128,128,128,.5)">{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(tag: str, column: Column, content: str) -> str:
    align = CELL.format("right" if column.number else "left")
    mono = MONO if column.number and tag == "td" else ""
    nowrap = "" if column.cut else "white-space:nowrap;"
    wide = "max-width:26em;overflow-wrap:break-word;" if column.cut else ""
    return f'<{tag} style="{mono}{nowrap}{wide}{align}">{content}</{tag}>'


def _bar(name: str, length: float, solid: float) -> str:
    colour = COLOURS.get(name, OTHER)
    whole = max(0.5, 200 * min(1.0, length))
    part = 200 * min(solid, length)
    return (
        '<svg width="200" height="12" role="img" style="vertical-align:middle">'
        f'<rect width="{whole:.1f}" height="12" rx="1" fill="{colour}" fill-opacity=".35"/>'
        f'<rect width="{part:.1f}" height="12" rx="1" fill="{colour}"/></svg>'
    )


def strip(parts: Sequence[tuple[str, int, str]], total: int, width: int = 760) -> str:
    """One bar of consecutive parts: colour's name, cycles, what a pointer shows."""
    shapes, x = "", 0.0
    for name, cycles, title in parts:
        w = width * cycles / total if total else 0.0
        shapes += (
            f'<rect x="{x:.2f}" width="{max(w - 0.4, 0.2):.2f}" height="22" '
            f'fill="{COLOURS.get(name, OTHER)}"><title>{html.escape(title)}</title></rect>'
        )
        x += w
    return (
        f'<svg viewBox="0 0 {width} 22" width="{width}" height="22" role="img" '
        f'style="display:block;max-width:100%">{shapes}</svg>'
    )


def legend(names: Sequence[tuple[str, str]]) -> str:
    """Colours and what they stand for."""
    items = "".join(
        f'<span style="margin-right:16px"><svg width="10" height="10"><rect width="10" height="10" '
        f'fill="{COLOURS.get(n, OTHER)}"/></svg> {html.escape(t)}</span>'
        for n, t in names
    )
    return f'<div style="margin:4px 0 8px 0">{items}</div>'
