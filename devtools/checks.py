# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How checks are declared, run and counted."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import util
from .util import DevError, say

TIERS = ("T0", "T1", "style", "T2", "fuzz")
QUICK_TIERS = ("T0", "T1", "style")


class Skip(Exception):
    """Raised by a check that cannot run here; says why."""


@dataclasses.dataclass
class Report:
    """What a check counted. A check that returns nothing passed as one."""
    passed: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    detail: str = ""

    def add(self, other: Report) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


class Judge:
    """Counts expectations."""

    def __init__(self) -> None:
        self.report = Report()

    def expect(self, what: str, holds: bool, seen: object) -> None:
        if holds:
            self.report.passed += 1
        else:
            self.report.failed.append(f"{what}: {str(seen).strip()[-300:]!r}")


CheckFunction = Callable[[], "Report | None"]


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    tier: str
    function: CheckFunction
    parallel: bool  # takes one CPU, and may run beside others that are so

    @property
    def text(self) -> str:
        return (self.function.__doc__ or "").strip().split("\n")[0]


REGISTRY: list[Check] = []


def check(name: str, tier: str, parallel: bool = False
          ) -> Callable[[CheckFunction], CheckFunction]:
    """Declares a check:

        @check("name", "T0")
        def name() -> Report | None:
            "What it proves, on one line."
    """
    assert tier in TIERS, tier

    def declare(function: CheckFunction) -> CheckFunction:
        REGISTRY.append(Check(name, tier, function, parallel))
        return function
    return declare


def run_one(c: Check) -> Report:
    start = time.monotonic()
    try:
        report = c.function() or Report(passed=1)
        if not (report.passed or report.failed or report.skipped):
            report = Report(failed=[f"{c.name}: it ran no case at all"])
    except Skip as e:
        report = Report(skipped=[(c.name, str(e))])
    except DevError as e:
        report = Report(failed=[f"{c.name}: {e}"])
    except Exception:  # a broken check is a failed one, the rest still run
        report = Report(failed=[f"{c.name}: {traceback.format_exc()}"])
    print_line(c, report, time.monotonic() - start)
    return report


def print_line(c: Check, report: Report, seconds: float) -> None:
    word = "fail" if report.failed else "pass" if report.passed else "skip"
    cases = report.passed + len(report.failed)
    count = f" ({cases} cases)" if cases > 1 else ""
    detail = f"  {report.detail}" if report.detail else ""
    say(f"{word}  {c.name}{count}  {seconds:.1f} s{detail}")
    for failure in report.failed[:20]:
        say("      " + failure.replace("\n", "\n      "))
    if len(report.failed) > 20:
        say(f"      and {len(report.failed) - 20} more")


def run_all(checks: list[Check]) -> Report:
    total = Report()
    for c in checks:
        if not c.parallel:
            total.add(run_one(c))
    beside = [c for c in checks if c.parallel]
    if beside:
        total.add(run_beside(beside))
    return total


def run_beside(checks: list[Check]) -> Report:
    """One on each CPU, begun in their order. Says what they took in all: their
    own times overlap, and those that wait for one build count it each."""
    total = Report()
    start = time.monotonic()
    with ThreadPoolExecutor(util.jobs()) as pool:
        for report in pool.map(run_one, checks):
            total.add(report)
    if len(checks) > 1:
        say(f"==> {len(checks)} checks, {util.jobs()} at a time: "
            f"{time.monotonic() - start:.1f} s")
    return total


def select(names: list[str], quick: bool) -> list[Check]:
    tiers = QUICK_TIERS if quick else TIERS
    chosen = sorted((c for c in REGISTRY if c.tier in tiers),
                    key=lambda c: TIERS.index(c.tier))
    if not names:
        return chosen
    for n in names:
        if not any(fnmatch.fnmatch(c.name, n) for c in chosen):
            raise DevError(f"no check '{n}'; ./dev test --list shows them")
    return [c for c in chosen if any(fnmatch.fnmatch(c.name, n)
                                     for n in names)]


def close(total: Report) -> int:
    """The closing line, alone, after a reason for each skip."""
    for name, reason in total.skipped:
        say(f"skipped: {name}: {reason}")
    say(f"{total.passed} passed, {len(total.failed)} failed, "
        f"{len(total.skipped)} skipped")
    return 1 if total.failed else 0


def in_ci() -> bool:
    return os.environ.get("CI", "") not in ("", "0", "false")
