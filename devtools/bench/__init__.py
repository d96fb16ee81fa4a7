# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""./dev bench: Loom against its yardsticks. Ratios of wall times are medians
of interleaved pairs of one run; cycles are exact. Never part of the tests: a
busy host would make them lie."""

from __future__ import annotations

import json

from .. import host, kernel, qemu, setup, tests, util
from ..util import DevError, say
from . import (basics, compile_time, cpu_engine, cycles,  # noqa: F401
               networks, plugin, wall)
from .measure import (BENCHES, LEAST_PAIRS, Measure, misses, table,
                      write_table)

TABLE = util.ROOT / "docs" / "results" / "bench.md"


def main(names: list[str], as_json: bool, pairs: int) -> int:
    if pairs < LEAST_PAIRS:
        raise DevError(f"--pairs {pairs}: a ratio needs {LEAST_PAIRS} pairs or "
                       "more to mean anything")
    for n in names:
        if n not in BENCHES:
            raise DevError(f"no benchmark '{n}'; there are: "
                           + ", ".join(BENCHES))
    setup.setup()
    host.build()
    qemu.build()
    kernel.build_module(kernel.debian())
    measures: list[Measure] = []
    for name, function in BENCHES.items():
        if not names or name in names:
            with util.step(f"measure {name}"):
                measures += function(pairs)
    say("\n" + table(measures) + "\n\n" + misses(measures))
    if not names:
        commit = util.capture(["git", "rev-parse", "--short",
                               "HEAD"]).stdout.strip()
        write_table(TABLE, f"Commit {commit}, {tests.cpu_name()}, "
                    f"{util.jobs()} CPUs, {pairs} interleaved pairs a ratio; "
                    "no KVM.", measures)
    if as_json:
        say(json.dumps([m.as_json() for m in measures]))
    return 0 if all(m.holds is not False for m in measures) else 1
