# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX's own harnesses through JAX on the plugin, against what JAX answers on the CPU.

    python tests/jax/conformance.py --judge PROGRAM --work DIR --corpus sample|all --kept FILE
                                    [--write] [--jobs N] INDEX...

INDEX are those of tests/conformance/export.py, whose cases, inputs, expected outputs and bounds
these are; PROGRAM is conformance_given. Cases run in processes that take many each; one that dies
or does not answer costs a case and counts as a crash. Of the cases that docs/coverage.json calls
running 99 % have to pass, and not fewer than FILE says; none may crash. --write writes FILE.
"""

from __future__ import annotations

import argparse
import collections
import json
import queue
import re
import select
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin import ROOT, environment

sys.path.insert(0, str(ROOT / "tests" / "conformance"))

import coverage

WORKER = Path(__file__).resolve().parent / "conformance_worker.py"
LEAST = 0.99
LIMIT = 120.0  # seconds a case
MANY = 400  # cases a process
MODES = ("x32", "x64")


@dataclass(frozen=True)
class Place:
    """One case: its line of an index, and the harness it was made from."""

    index: Path
    line: int
    mode: str
    group: str


def places(indices: list[Path]) -> list[Place]:
    """Cases that are a program, those of equal programs and inputs once."""
    seen: set[str] = set()
    found = []
    for index in indices:
        for line, text in enumerate(index.open()):
            row = json.loads(text)
            if "artifact" not in row or row["key"] in seen:
                continue
            seen.add(row["key"])
            found.append(Place(index, line, row["mode"], row["group"]))
    return found


class Worker:
    """A process with JAX on the plugin."""

    def __init__(self, mode: str, platforms: str, out: Path, log: Path) -> None:
        words = [sys.executable, str(WORKER), str(out)]
        self.process = subprocess.Popen(
            words + (["--x64"] if mode == "x64" else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("a"),
            text=True,
            bufsize=1,
            env=environment(platforms, PYTHONUNBUFFERED="1"),
        )
        self.taken = 0
        first = self.answer()
        if first.get("platform") != platforms.split(",")[0]:
            raise SystemExit(f"conformance: JAX did not start on {platforms}: {first}; see {log}")

    def answer(self) -> dict[str, Any]:
        """What the process says next; a crash where it ends or says nothing."""
        assert self.process.stdout
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], LIMIT)
            if not ready:
                self.process.kill()
                return {"status": "crash", "reason": f"no answer in {LIMIT:.0f} s"}
            line = self.process.stdout.readline()
            if not line:
                code = self.process.wait()
                return {"status": "crash", "reason": f"the process ended with code {code}"}
            if line.startswith("ROW "):
                return dict(json.loads(line[4:]))

    def run(self, place: Place) -> dict[str, Any]:
        assert self.process.stdin
        self.taken += 1
        try:
            self.process.stdin.write(json.dumps([str(place.index), place.line]) + "\n")
        except BrokenPipeError:
            pass  # answer() tells how it ended
        return self.answer()

    @property
    def usable(self) -> bool:
        return self.process.poll() is None and self.taken < MANY

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.process.stdout.close()


def run_share(
    mode: str, platforms: str, cases: queue.SimpleQueue[Place], stem: Path
) -> list[tuple[Place, dict[str, Any]]]:
    """Takes cases of one mode until there are none; outputs go to the stem's .bin."""
    rows: list[tuple[Place, dict[str, Any]]] = []
    worker: Worker | None = None
    while True:
        try:
            place = cases.get_nowait()
        except queue.Empty:
            break
        if worker is None or not worker.usable:
            if worker:
                worker.close()
            worker = Worker(mode, platforms, stem.with_suffix(".bin"), stem.with_suffix(".log"))
        rows.append((place, worker.run(place)))
    if worker:
        worker.close()
    return rows


def run_all(todo: list[Place], platforms: str, work: Path, jobs: int) -> Path:
    """All cases; the file that conformance_given takes."""
    given = work / "given.jsonl"
    with given.open("w") as rows, given.with_suffix(".bin").open("wb") as data:
        for mode in MODES:
            cases: queue.SimpleQueue[Place] = queue.SimpleQueue()
            for place in todo:
                if place.mode == mode:
                    cases.put(place)
            stems = [work / f"{mode}-{job}" for job in range(jobs)]
            for stem in stems:
                stem.with_suffix(".bin").write_bytes(b"")
                stem.with_suffix(".log").write_bytes(b"")
            with ThreadPoolExecutor(jobs) as pool:
                shares = list(pool.map(lambda s: run_share(mode, platforms, cases, s), stems))
            for stem, share in zip(stems, shares, strict=True):
                base = data.tell()
                data.write(stem.with_suffix(".bin").read_bytes())
                stem.with_suffix(".bin").unlink()
                for place, row in share:
                    for output in row.get("outputs", ()):
                        output["at"] += base
                    rows.write(json.dumps({"index": str(place.index), "line": place.line, **row}))
                    rows.write("\n")
    return given


def judged(program: Path, given: Path, work: Path, indices: list[Path]) -> list[coverage.Case]:
    results = work / "results.jsonl"
    subprocess.run([program, results, given, *indices], check=True)
    cases = coverage.load(results, indices)
    tolerances = coverage.Tolerances()
    bounds = json.loads(coverage.BOUNDS.read_text())
    for case in cases:
        coverage.judge(case, bounds, tolerances)
    return cases


def running(corpus: str) -> int:
    """Cases that docs/coverage.json calls running."""
    table = json.loads((coverage.DOCS / "coverage.json").read_text())[corpus]
    return sum(coverage.ran(row) for row in table.values())


def write_reasons(cases: list[coverage.Case], path: Path) -> None:
    """Why cases did not pass, the most frequent reason first; then each."""
    bad = [c for c in cases if c.status != "npu"]
    found = collections.Counter((c.status, c.group, c.reason) for c in bad)
    lines = [f"{n:6} {' '.join(key)}" for key, n in found.most_common()]
    lines += [""] + [f"{c.status}: {c.group} {c.type} {c.name[:110]}: {c.reason}" for c in bad]
    path.write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--corpus", choices=("sample", "all"), required=True)
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--platforms", default="loom,cpu", help="cpu: to try the machinery")
    parser.add_argument("--only", default="", help="groups that this matches")
    parser.add_argument("indices", type=Path, nargs="+")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    todo = places(options.indices)
    if options.only:
        todo = [p for p in todo if re.fullmatch(options.only, p.group)]
    given = run_all(todo, options.platforms, options.work, options.jobs)
    cases = judged(options.judge, given, options.work, options.indices)
    write_reasons(cases, options.work / "reasons.txt")
    count = collections.Counter(c.status for c in cases)
    passed, expected = count["npu"], running(options.corpus)
    kept = json.loads(options.kept.read_text()) if options.kept.exists() else {}
    least = kept.get(options.corpus, {}).get("passed", 0)
    print(
        f"{passed} of {expected} cases that run pass through JAX "
        f"({1000 * passed // expected / 10} %), {count['refused']} refused, "
        f"{count['wrong']} wrong, {count['crash']} crash; least {least}"
    )
    failed = 0
    for bad, text in (
        (passed < least, f"{passed} pass, {least} did"),
        (passed < LEAST * expected, f"{passed} pass, of {expected} 99 % are wanted"),
        (count["crash"] > 0, f"{count['crash']} crashed the process"),
    ):
        if bad:
            failed += 1
            print(f"FAILED conformance: {text}; reasons in {options.work / 'reasons.txt'}")
    if options.write:
        kept[options.corpus] = {"passed": passed, "running": expected}
        options.kept.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
