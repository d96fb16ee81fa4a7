# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Judges what the conformance program measured and keeps docs/coverage.*.

    coverage.py RESULTS.jsonl INDEX.jsonl... --corpus sample|all
        [--update-bounds] [--write] [--reasons FILE]

Without --write the committed docs/coverage.json is compared with: nothing may
be worse. bounds.json holds, for each operation and type, how many units in the
last place an output may be off; --update-bounds raises it to what was measured,
never above what JAX's own tests tolerate.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
BOUNDS = FOLDER / "bounds.json"
TOLERANCES = FOLDER / "tolerances.json"
DOCS = ROOT / "docs"
TYPES = ("i1", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16",
         "bf16", "f32", "f64", "c64")
STATES = ("npu", "cpu", "refused", "wrong", "crash")
NUMPY = {"f16": "float16", "f32": "float32", "f64": "float64",
         "c64": "complex64", "bf16": "bfloat16"}
ELEMENT_ULPS = 64  # above, errors are those of sums: the largest element counts


@dataclasses.dataclass
class Case:
    group: str
    type: str
    name: str
    outputs: list[str]  # types
    status: str
    reason: str
    operation: str
    ulps: float
    scaled: float
    tolerance: float

    @property
    def row(self) -> str:
        return f"{self.group} {self.type}"


def load(results: Path, indices: list[Path]) -> list[Case]:
    rows = {str(path): [json.loads(line) for line in path.open()]
            for path in indices}
    cases = []
    for line in results.open():
        r = json.loads(line)
        row = rows[r["index"]][r["line"]]
        cases.append(Case(
            row["group"], row["type"], row["name"],
            [o["type"] for o in row["outputs"]], r["status"], r["reason"],
            r["operation"], float(r["ulps"]), float(r["scaled"]),
            float(r["tolerance"])))
    return cases


def without_program(indices: list[Path]) -> collections.Counter[str]:
    """Cases that JAX itself lowers for no platform but its own, by reason."""
    found: collections.Counter[str] = collections.Counter()
    for path in indices:
        for line in path.open():
            row = json.loads(line)
            if "no_program" in row:
                found[f"{row['group']}: {row['no_program']}"] += 1
    return found


# --- bounds --------------------------------------------------------------------

class Tolerances:
    """What JAX's own tests allow, absolutely and relative to the expected: its
    default for the type, what its tests of the operation say, or what those
    say that run these very harnesses on another backend (tolerances.json)."""

    def __init__(self) -> None:
        import numpy as np
        from jax._src import public_test_util
        from jax._src.internal_test_util import lax_test_util
        self.default = {np.dtype(t).name: float(v) for t, v in
                        public_test_util.default_tolerance().items()
                        if not isinstance(t, str)}
        self.own: dict[str, dict[str, float]] = {}
        for record in lax_test_util.lax_ops():
            table = self.own.setdefault(record.op, {})
            if isinstance(record.tol, dict):
                table.update({np.dtype(t).name: float(v)
                              for t, v in record.tol.items()})
        for group, types in json.loads(TOLERANCES.read_text()).items():
            table = self.own.setdefault(group, {})
            for t, v in types.items():
                table[NUMPY[t]] = max(v, table.get(NUMPY[t], 0.0))

    def of(self, case: Case) -> float:
        return max((self.of_type(case.group, t) for t in case.outputs),
                   default=0.0)

    def of_type(self, group: str, type_: str) -> float:
        name = NUMPY.get(type_)
        if not name:
            return 0.0
        return max(self.own.get(group, {}).get(name, 0.0), self.default[name])


def rounded_up(value: float) -> float:
    """The next of 0, 1/2, 1, 2, 3, 4, 6, 8, 12, ..."""
    if value <= 0:
        return 0
    step = 2.0 ** math.floor(math.log2(max(value, 0.5)))
    return next(s for s in (step, 1.5 * step, 2 * step)
                if value <= s and (s == 0.5 or s.is_integer()))


def measure(cases: list[Case], tolerances: Tolerances
            ) -> dict[str, dict[str, float]]:
    """The table that these results ask for."""
    table: dict[str, dict[str, float]] = {}
    groups: dict[str, list[Case]] = collections.defaultdict(list)
    for c in cases:
        if c.status in ("npu", "cpu") and c.tolerance <= tolerances.of(c):
            groups[c.row].append(c)
    for row, mine in sorted(groups.items()):
        ulps = rounded_up(max(c.ulps for c in mine))
        scaled = rounded_up(max(c.scaled for c in mine))
        if ulps:
            table[row] = ({"ulps": ulps} if ulps <= ELEMENT_ULPS
                          else {"scaled": scaled})
    return table


def merged(old: dict[str, dict[str, float]], new: dict[str, dict[str, float]]
           ) -> dict[str, dict[str, float]]:
    """Each row as the wider of both: a sample must not narrow the whole."""
    result = dict(old)
    for row, bound in new.items():
        kept = old.get(row, {})
        if "scaled" in kept or "scaled" in bound:
            result[row] = {"scaled": max(kept.get("scaled", 0),
                                         bound.get("scaled", 0))
                           or bound.get("ulps", kept.get("ulps", 0))}
        else:
            result[row] = {"ulps": max(kept.get("ulps", 0), bound["ulps"])}
    return dict(sorted(result.items()))


def judge(case: Case, bounds: dict[str, dict[str, float]],
          tolerances: Tolerances) -> None:
    """A case that ran and is off becomes a wrong one."""
    if case.status not in ("npu", "cpu"):
        return
    allowed = tolerances.of(case)
    bound = bounds.get(case.row, {"ulps": 0})
    (kind, most), = bound.items()
    have = getattr(case, kind)
    if case.tolerance > allowed:
        case.reason = (f"off by {case.tolerance:.2g} + {case.tolerance:.2g} |x|, "
                       f"JAX's tests allow {allowed:.0e}")
    elif have > most:
        case.reason = f"off by {have:.3g} ulp ({kind}), {most:g} are allowed"
    else:
        return
    case.status = "wrong"


# --- what is kept ------------------------------------------------------------------

def counts(cases: list[Case]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for c in cases:
        row = table.setdefault(c.row, dict.fromkeys(STATES, 0))
        row[c.status] += 1
    return {row: {k: v for k, v in table[row].items() if v}
            for row in sorted(table)}


def ran(row: dict[str, int]) -> int:
    return row.get("npu", 0) + row.get("cpu", 0)


def worse(old: dict[str, dict[str, int]], new: dict[str, dict[str, int]]
          ) -> list[str]:
    """Rows of which less runs, or more is wrong or crashes, than was committed."""
    found = []
    for name, was in old.items():
        row = new.get(name, {})
        if ran(row) < ran(was):
            found.append(f"{name}: {ran(row)} cases run, {ran(was)} did")
        for state in ("wrong", "crash"):
            if row.get(state, 0) > was.get(state, 0):
                found.append(f"{name}: {row.get(state, 0)} {state}, there were "
                             f"{was.get(state, 0)}")
    for name in new.keys() - old.keys():
        for state in ("wrong", "crash"):
            if new[name].get(state):
                found.append(f"{name}: {new[name][state]} {state}, and it is new")
    return sorted(found)


def totals(table: dict[str, dict[str, int]]) -> dict[str, int]:
    return {s: sum(row.get(s, 0) for row in table.values()) for s in STATES}


def summary(table: dict[str, dict[str, int]]) -> str:
    total = totals(table)
    everything = sum(total.values())
    # Rounded down: 100 % is said of all of them alone.
    share = 1000 * ran(total) // everything / 10 if everything else 0
    return (", ".join(f"{n} {s}" for s, n in total.items())
            + f" of {everything}: {share:.1f} % run")


def reasons(cases: list[Case]) -> list[tuple[int, str, str, str]]:
    """(cases, state, operation and reason, types), the most frequent first."""
    found: dict[tuple[str, str], list[Case]] = collections.defaultdict(list)
    for c in cases:
        if c.status == "refused":
            found["refused", f"{c.operation}: {c.reason}"].append(c)
        elif c.status in ("wrong", "crash"):
            what = c.reason if c.status == "crash" else "result"
            found[c.status, f"{c.group}: {what}"].append(c)
    rows = [(len(mine), state, text,
             " ".join(t for t in TYPES if any(c.type == t for c in mine)))
            for (state, text), mine in found.items()]
    return sorted(rows, key=lambda r: (-r[0], r[1:]))


def cell(row: dict[str, int]) -> str:
    if not row:
        return ""
    total = sum(row.values())
    parts = []
    for state in STATES:
        if row.get(state):
            parts.append(state if row[state] == total
                         else f"{row[state]} {state}")
    return ", ".join(parts) + (f" ({total})" if total > 1 and len(parts) == 1
                               else "")


HEAD = """\
<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception -->
# Operations and element types

Generated by `./dev test --deep conformance` from JAX's own test harnesses: each case is compiled for `npu16`, run
in-process and compared with JAX on the CPU. Integers and booleans have to be equal, floats within
`tests/conformance/bounds.json`, which is never wider than what JAX's own tests tolerate; NaN at the same places. A cell
says where the cases of an operation and a type ran: *npu*, or *cpu* where the kernel's CPU engine has a part in it;
what is *refused* is refused with a reason and a remedy. Numbers are cases; those that are the same program on the same
inputs count once.

"""


def write_page(table: dict[str, dict[str, int]], cases: list[Case],
               missing: collections.Counter[str]) -> str:
    text = HEAD + summary(table) + ".\n\n"
    groups = sorted({name.split()[0] for name in table})
    text += "| operation | " + " | ".join(TYPES) + " |\n"
    text += "|---" * (len(TYPES) + 1) + "|\n"
    for group in groups:
        text += f"| {group} | " + " | ".join(
            cell(table.get(f"{group} {t}", {})) for t in TYPES) + " |\n"
    text += "\n## Why cases are refused\n\n| cases | reason | types |\n|---|---|---|\n"
    for count, state, reason, types in reasons(cases):
        if state == "refused":
            text += f"| {count} | {reason.replace('|', '/')} | {types} |\n"
    text += ("\n## Cases that are no program\n\nJAX has no rule that lowers these "
             "for a platform other than its own.\n\n| cases | operation |\n"
             "|---|---|\n")
    by_group: collections.Counter[str] = collections.Counter()
    for line, n in missing.items():
        by_group[line.split(":")[0]] += n
    for group, n in sorted(by_group.items()):
        text += f"| {n} | {group} |\n"
    return text


def rows_text(table: dict[str, Any], indent: str = "") -> str:
    """JSON with a row a line, so that differences can be read."""
    rows = [f"{indent} {json.dumps(name)}: {json.dumps(table[name])}"
            for name in sorted(table)]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("indices", type=Path, nargs="+")
    parser.add_argument("--corpus", choices=("sample", "all"), required=True)
    parser.add_argument("--update-bounds", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--reasons", type=Path)
    options = parser.parse_args()
    cases = load(options.results, options.indices)
    if not cases:
        print("no case ran")
        return 1
    tolerances = Tolerances()
    bounds = json.loads(BOUNDS.read_text()) if BOUNDS.exists() else {}
    if options.update_bounds:
        bounds = merged(bounds, measure(cases, tolerances))
        BOUNDS.write_text(rows_text(bounds) + "\n")
    for c in cases:
        judge(c, bounds, tolerances)
    table = counts(cases)
    report(cases, table, options.reasons)
    path = DOCS / "coverage.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    bad = worse(kept.get(options.corpus, {}), table)
    if options.write:
        kept[options.corpus] = table
        path.write_text("{\n" + ",\n".join(
            f' "{name}": {rows_text(kept[name], " ")}'
            for name in sorted(kept)) + "\n}\n")
        if options.corpus == "all":
            (DOCS / "coverage.md").write_text(
                write_page(table, cases, without_program(options.indices)))
    for line in bad:
        print(f"worse: {line}")
    total = totals(table)
    print(f"passed {ran(total) + total['refused']} failed {len(bad)}")
    return 1 if bad else 0


def report(cases: list[Case], table: dict[str, dict[str, int]],
           path: Path | None) -> None:
    lines = [summary(table), ""]
    lines += [f"{n:6} {state:8} {text}   [{types}]"
              for n, state, text, types in reasons(cases)]
    lines += [""] + [f"{c.status}: {c.group} {c.type} {c.name[:110]}: {c.reason}"
                     for c in cases if c.status in ("wrong", "crash")]
    print(lines[0])
    if path:
        path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
