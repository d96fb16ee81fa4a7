#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults of the device while the driver works, and the driver taken away.

    python3 tests/guest/faults.py --programs DIR [--count 100]
                                  [--kernel debian|kasan] [KIND ...]

For each kind of fault: two contexts in the guest keep jobs queued and running
(loom_fault_test), the host injects one fault after the other through QEMU, and
the program in the guest judges every fence and every output. `unbind` runs
loom_unbind_test. Ends with `N passed, N failed`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from devtools.guest import Config, Guest, GuestError  # noqa: E402

PROGRAMS = ("loom_fault_test", "loom_unbind_test")
# What to inject for the i-th time; `at` walks over the five instructions, or
# over the first memory accesses, of the program.
FAULTS = {
    "hang": lambda i: {"kind": "hang", "at": 1 + i % 4},
    "lost-irq": lambda i: {"kind": "lost-irq", "count": 1},
    "dma-fail": lambda i: {"kind": "dma-fail", "at": 1 + i % 3},
}
# Seconds until a fault must have been seen; the debug kernel is slow.
HIT_LIMIT = {"debian": 30.0, "kasan": 120.0}
# Seconds of an unbind under load. Long, since the host may be busy; what it must
# not wait for takes longer: hang_ms, which is set to match, and on Debian's
# kernel the ten seconds of vgem's fence.
UNBIND_LIMIT = {"debian": 8.0, "kasan": 60.0}


class Storm:
    """loom_fault_test in the guest, in the background."""

    def __init__(self, guest: Guest, kind: str, count: int) -> None:
        self.guest = guest
        self.limit = HIT_LIMIT[guest.config.kernel]
        self.progress = f"/tmp/{kind}.hits"
        self.log = f"/tmp/{kind}.log"
        guest.check_run(
            f"rm -f {self.progress}; (loom_fault_test {kind} {count} "
            f"{self.progress} > {self.log} 2> {self.log}.err; "
            f"echo $? > {self.log}.rc.new; mv {self.log}.rc.new {self.log}.rc) "
            "> /dev/null 2>&1 &")

    def hits(self) -> int:
        text = self.guest.run(f"cat {self.progress}").stdout.strip()
        return int(text) if text.isdigit() else -1

    def ended(self) -> bool:
        return self.guest.run(f"test -e {self.log}.rc").rc == 0

    def wait_for(self, hits: int) -> None:
        deadline = time.monotonic() + self.limit
        while self.hits() < hits:
            if self.ended() and self.hits() < hits:
                raise GuestError(self.output())
            if time.monotonic() > deadline:
                raise GuestError(f"fault {hits} was not seen within "
                                 f"{self.limit:.0f} s")

    def output(self) -> str:
        return self.guest.run(f"cat {self.log} {self.log}.err").stdout.strip()

    def result(self) -> dict[str, int]:
        deadline = time.monotonic() + self.limit
        while not self.ended():
            if time.monotonic() > deadline:
                raise GuestError("loom_fault_test does not end")
            time.sleep(0.02)
        rc = self.guest.run(f"cat {self.log}.rc").stdout.strip()
        if rc != "0":
            raise GuestError(self.output())
        return json.loads(self.guest.get(self.log).splitlines()[-1])


def expect(result: dict[str, int], key: str, low: int, high: int) -> None:
    if not low <= result[key] <= high:
        raise GuestError(f"{key} is {result[key]}, not {low} to {high}: {result}")


def storm(guest: Guest, kind: str, count: int) -> str:
    run = Storm(guest, kind, count)
    run.wait_for(0)
    for i in range(count):
        guest.inject("x-inject", json.dumps(FAULTS[kind](i)))
        run.wait_for(i + 1)
    result = run.result()
    resets = count if kind == "hang" else 0
    expect(result, "hits", count, count)
    expect(result, "resets", resets, resets)
    expect(result, "killed", resets, resets)
    # An interrupt that a busy host delivers late counts as lost as well; one
    # that is counted twice would show as twice as many.
    expect(result, "irqs_lost", count if kind == "lost-irq" else 0,
           2 * count - 1 if kind == "lost-irq" else 1 << 30)
    return f"{result['jobs_right']} jobs right beside {count} faults"


def coredump(guest: Guest) -> None:
    """A hang leaves a dump that names program, instruction and slots."""
    find = "ls -d /sys/class/devcoredump/devcd*/data 2>/dev/null | head -1"
    path = guest.check_run(find).strip()
    if not path:
        raise GuestError("a hang left no device coredump")
    text = guest.get(path).decode()
    for word in ("loom coredump 1", "error: -62", "PROGRESS:", "code: first_unit",
                 "name=slot0"):
        if word not in text:
            raise GuestError(f"the coredump does not say `{word}`:\n{text}")


def unload(guest: Guest) -> None:
    """Dump and fences let go of the module soon, but not at once."""
    if guest.config.kernel == "kasan" and (leaks := guest.leaks()):
        raise GuestError("kmemleak: " + leaks[:2000])
    guest.check_run("for i in $(seq 100); do rmmod loom 2> /dev/null && exit; "
                    "sleep 0.1; done; rmmod loom")


def hang_ms(kind: str, kernel: str) -> int:
    if kind == "unbind":
        return int(4000 * UNBIND_LIMIT[kernel])
    return 100 if kind == "hang" else 2000


def run_kind(kind: str, programs: Path, count: int, kernel: str) -> str:
    config = Config(kernel=kernel, modules=("vgem",),
                    programs={f"/bin/{p}": programs / p for p in PROGRAMS})
    with Guest(config) as guest:
        guest.load_driver(f"hang_ms={hang_ms(kind, kernel)}")
        if kind == "unbind":
            guest.check_run("modprobe vgem")
            guest.check_run(f"LOOM_UNBIND_SECONDS={UNBIND_LIMIT[kernel]} "
                            "loom_unbind_test --gtest_brief=1", 600.0)
            said = "loom_unbind_test"
        else:
            said = storm(guest, kind, count)
            if kind == "hang":
                coredump(guest)
        # A coredump is read by the module's code, so it holds the module.
        guest.run("for d in /sys/class/devcoredump/devcd*/data; do "
                  "test -e $d && echo 1 > $d; done")
        unload(guest)
        guest.check()
        return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True,
                        help="folder with " + " and ".join(PROGRAMS))
    parser.add_argument("--count", type=int, default=100,
                        help="faults of each kind (100)")
    parser.add_argument("--kernel", choices=tuple(HIT_LIMIT), default="debian",
                        help="the guest's kernel (debian)")
    parser.add_argument("kinds", nargs="*", metavar="KIND",
                        help="of unbind, " + ", ".join(FAULTS) + " (all)")
    args = parser.parse_args()
    passed = failed = 0
    for kind in args.kinds or ["unbind", *FAULTS]:
        start = time.monotonic()
        try:
            said = run_kind(kind, args.programs, args.count, args.kernel)
        except GuestError as e:
            failed += 1
            print(f"FAIL {kind}: {e}", flush=True)
            continue
        passed += 1
        print(f"ok {kind}: {said}, {time.monotonic() - start:.1f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
