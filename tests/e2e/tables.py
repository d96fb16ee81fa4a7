# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of docs/results/models.md, from what the deep suite `zoo` found.

    python tests/e2e/tables.py ZOO.json MODELS.md

replaces what stands between the two marks of MODELS.md; the rest is written by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BEGIN = "<!-- tables of the deep suite: begin -->"
END = "<!-- tables of the deep suite: end -->"
HEAD = ("network", "type", "target", "error", "JAX to itself", "cycles")
CODE_UNIT = 32  # bytes
Row = dict[str, Any]


def table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    rule = ("---",) * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def small(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}".replace("e-0", "e-")


def outcome(row: Row) -> tuple[str, ...]:
    """The columns of HEAD."""
    return (
        row["real_size"],
        row["dtype"],
        row["target"],
        small(row["error"]) + " FAILED" * ("why" in row),
        small(row.get("jax_to_itself")),
        f"{row['cycles']:,}",
    )


def plain(rows: list[Row]) -> str:
    head = (*HEAD, "roofline", "cycles / roofline", "SRAM / live", "units of code")
    return table(
        head,
        [
            (
                *outcome(row),
                f"{row['roofline']:,}",
                f"{row['cycles'] / row['roofline']:.3f}",
                f"{row['sram_peak'] / row['sram_live_bound']:.2f}",
                f"{row['code_bytes'] // CODE_UNIT:,}",
            )
            for row in rows
        ],
    )


def recurrent(rows: list[Row]) -> str:
    return table(
        (*HEAD, "bytes moved", "of the bandwidth"),
        [
            (
                *outcome(row),
                f"{row['bytes']:,}",
                f"{row['bandwidth']:.0%}".replace("%", " %"),
            )
            for row in rows
        ],
    )


def words(rows: list[Row], key: str, head: str) -> str:
    return table(
        ("network", "type", "target", head),
        [
            (row["real_size"], row["dtype"], row["target"], f"`{row[key].replace('|', ' ')}`")
            for row in rows
        ],
    )


def tables(result: dict[str, Any]) -> str:
    """All tables; what failed is shown as that."""
    rows = result["counts"]["real_size"]
    ran = [row for row in rows if "cycles" in row]
    parts = [
        f"Commit {result['commit'][:7]}{'+' * result['commit'].endswith('+')}, {result['cpu']}, "
        f"{result['cpus']} CPUs; {result['passed']} checks passed, {result['failed']} failed.",
        plain([row for row in ran if "LSTM" not in row["real_size"]]),
        recurrent([row for row in ran if "LSTM" in row["real_size"]]),
    ]
    refused = [row for row in rows if "refused" in row]
    failed = [row for row in rows if "why" in row]
    if refused:
        parts.append(words(refused, "refused", "why the target is too small"))
    if failed:
        parts.append(words(failed, "why", "FAILED: what was seen"))
    return "\n\n".join(parts)


def replaced(page: str, text: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(argv: list[str]) -> int:
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    page = Path(argv[2])
    page.write_text(replaced(page.read_text(), tables(json.loads(Path(argv[1]).read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
