#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How long the CPU engine keeps a CPU to itself, and what share of it a client
gets, in the guest's virtual time.

    python3 tests/guest/cpu_sections.py --programs DIR

Under -icount an instruction takes a nanosecond of the guest's clock, so the
host's load does not count. Runs loom_uapi_test's CPU segments and reads
debugfs: 99.9 % of the sections have to be shorter than 100 us. Then a client
that always has a segment waiting has to get its quota, 20 % and 50 % of a CPU:
at least QUOTA_LEAST percent of it, at most 5 % more. Ends with `N passed, N
failed`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from devtools.guest import Config, Guest, GuestError  # noqa: E402

PROGRAM = "loom_uapi_test"
TESTS = "CpuSections.*:CpuBits.*:CpuChain.*"
LIMIT_US = 100
SHARE = 0.999
QUOTA = "CpuQuota.SaturatingClientGetsItAndNoMore"
QUOTA_LEAST = 95
QUOTA_SECONDS = 1
FEWEST = 1000  # sections, below which a percentile says nothing


def sections(guest: Guest) -> dict[int, int]:
    """Microseconds from which on a section was, and how many were."""
    text = guest.check_run("cat /sys/kernel/debug/accel/*/cpu_sections")
    return {int(a): int(b) for a, b in map(str.split, text.splitlines())}


def percentile(counts: dict[int, int], share: float) -> int:
    """The end, in microseconds, of the bucket that holds it."""
    left = share * sum(counts.values())
    step = min(b for b in counts if b)
    for start, count in sorted(counts.items()):
        left -= count
        if left <= 0:
            return start + step
    return max(counts) + step


def run(programs: Path) -> str:
    config = Config(devices=("loom,x-sync=on",), smp=1,
                    programs={f"/bin/{PROGRAM}": programs / PROGRAM},
                    qemu_args=("-icount", "shift=0,sleep=off"))
    with Guest(config) as guest:
        guest.load_driver("cpu_quota_pct=100")
        guest.check_run(f"{PROGRAM} --gtest_brief=1 --gtest_filter='{TESTS}'",
                        300.0)
        counts = sections(guest)
        guest.check_run(f"LOOM_QUOTA_LEAST={QUOTA_LEAST} "
                        f"LOOM_QUOTA_SECONDS={QUOTA_SECONDS} {PROGRAM} "
                        f"--gtest_brief=1 --gtest_filter='{QUOTA}'", 300.0)
        guest.check()
    total = sum(counts.values())
    at = percentile(counts, SHARE)
    said = (f"{total} sections, 50 % within {percentile(counts, 0.5)} us, "
            f"99.9 % within {at} us, longest from "
            f"{max(b for b, n in counts.items() if n)} us")
    if total < FEWEST:
        raise GuestError(f"only {said}")
    if at > LIMIT_US:
        raise GuestError(said)
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True,
                        help=f"folder with {PROGRAM}")
    try:
        print("ok cpu-sections: " + run(parser.parse_args().programs))
    except GuestError as e:
        print(f"FAIL cpu-sections: {e}\n0 passed, 1 failed")
        return 1
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
