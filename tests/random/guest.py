# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The random programs once more, in a guest: the same bytes and the same
cycles through the kernel driver and QEMU as in-process; and programs that aim
outside, next to another process whose buffers hold a canary.

    tests/random/guest.py [--count N] [--seed N] [--escapes N] [--programs DIR]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from devtools import guest, host, kernel, qemu  # noqa: E402
from devtools.checks import Report  # noqa: E402
from devtools.util import DevError, say  # noqa: E402

TARGETS = ("npu16", "npu8", "npu64")
# What the device's kernels need of the host's CPU.
CPU_FLAGS = {"scalar": set(), "avx2": {"avx2", "fma"},
             "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512_vnni"}}
THREADS = (1, 2)
LIMIT = 600.0


@dataclasses.dataclass(frozen=True)
class Way:
    """How the device computes: its kernels and its host threads."""
    isa: str
    threads: int

    def devices(self) -> list[str]:
        return [f"loom,target={t},isa={self.isa},threads={self.threads}"
                for t in TARGETS]

    def __str__(self) -> str:
        return f"isa={self.isa}, threads={self.threads}"


def ways() -> tuple[list[Way], list[tuple[str, str]]]:
    """All that this CPU can do, and why not the others."""
    words = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(),
                      re.M)
    flags = set(words.group(1).split()) if words else set()
    able = [i for i, needs in CPU_FLAGS.items() if needs <= flags]
    return ([Way(i, n) for i in able for n in THREADS],
            [(f"isa={i}", f"this CPU lacks {', '.join(sorted(needs - flags))}")
             for i, needs in CPU_FLAGS.items() if i not in able])


def last_json(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text.strip().splitlines()[-1]))
    except (IndexError, ValueError):
        raise DevError("the last line is not JSON: "
                       f"{text[-500:]!r}") from None


def write_corpus(program: Path, folder: Path, seed: int, count: int
                 ) -> dict[str, Any]:
    done = subprocess.run(
        [program, "--seed", str(seed), "--count", str(count), "--write",
         folder], capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise DevError("the programs differ from the oracle in-process "
                       "already:\n" + done.stdout[-2000:] + done.stderr[-500:])
    return last_json(done.stdout)


def run_programs(g: guest.Guest, first: int) -> dict[str, Any]:
    """On the devices of one way, of which `first` is the lowest node."""
    nodes = " ".join(f"--device /dev/accel/accel{first + i}"
                     for i in range(len(TARGETS)))
    rc, out, err = g.run_split(
        f"random_programs --run /data/random {nodes}", LIMIT)
    if rc not in (0, 1) or not out.strip():
        raise DevError(f"random_programs ended with code {rc} in the guest: "
                       + err.decode(errors="replace")[-2000:])
    result = last_json(out.decode())
    result["errors"] = err.decode(errors="replace").splitlines()[:10]
    return result


def compare(sim: dict[str, Any], inside: dict[str, Any], way: Way) -> Report:
    report = Report(passed=inside["count"] - inside["mismatches"])
    report.failed += inside["errors"]
    for key in ("count", "hash", "cycles"):
        if sim[key] != inside[key]:
            report.failed.append(f"{key}: {sim[key]} in-process, "
                                 f"{inside[key]} in the guest with {way}")
    say(f"    {way}: {inside['count']} programs, hash {inside['hash'][:16]}, "
        f"{inside['cycles']} cycles, {inside['mismatches']} mismatches")
    return report


def run_escapes(g: guest.Guest, seed: int, count: int) -> Report:
    """Programs that aim outside, with a second process as the neighbour."""
    rc, out, err = g.run_split(
        f"random_escapes --device /dev/accel/accel0 --seed {seed} "
        f"--count {count}", LIMIT)
    if rc:
        return Report(failed=[(out + err).decode(errors="replace")[-3000:]])
    say("    " + out.decode().strip().splitlines()[-1])
    return Report(passed=count)


def run(programs: Path | None = None, seed: int = 1, count: int = 200,
        escapes: int = 500) -> Report:
    if programs is None:
        qemu.build()
        kernel.build_module(kernel.debian())
        host.build(host.HOST)
    names = ("random_programs", "random_escapes")
    found = {n: programs / n if programs else host.find_program(n)
             for n in names}
    able, skipped = ways()
    report = Report(skipped=skipped)
    with tempfile.TemporaryDirectory(prefix="loom-random-") as folder:
        sim = write_corpus(found["random_programs"], Path(folder), seed, count)
        say(f"    in-process: hash {sim['hash'][:16]}, {sim['cycles']} cycles")
        files: dict[str, Path | bytes] = {
            f"/data/random/{p.name}": p for p in Path(folder).iterdir()}
        config = guest.Config(
            devices=tuple(d for w in able for d in w.devices()), files=files,
            programs={f"/bin/{n}": p for n, p in found.items()})
        with guest.Guest(config) as g:
            g.load_driver()
            parts = [compare(sim, run_programs(g, i * len(TARGETS)), w)
                     for i, w in enumerate(able)]
            if escapes:
                parts.append(run_escapes(g, seed, escapes))
            for part in parts:
                report.add(part)
            g.check()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--escapes", type=int, default=500)
    parser.add_argument("--programs", type=Path,
                        help="folder of the built programs; builds nothing")
    args = parser.parse_args()
    report = run(args.programs, args.seed, args.count, args.escapes)
    for line in report.failed:
        say("FAILED " + line)
    for what, why in report.skipped:
        say(f"SKIPPED {what}: {why}")
    say(f"{report.passed} passed, {len(report.failed)} failed, "
        f"{len(report.skipped)} skipped")
    return bool(report.failed)


if __name__ == "__main__":
    sys.exit(main())
