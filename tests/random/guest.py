# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The random programs once more, in a guest: the same bytes and the same
cycles through the kernel driver and QEMU as in-process, alone and in several
contexts that keep the device busy; and programs that aim outside, next to
another process whose buffers hold a canary.

    tests/random/guest.py [--count N] [--loaded N] [--seed N] [--escapes N] [--programs DIR]
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
CONTEXTS = 4
LIMIT = 1800.0


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


def write_corpus(program: Path, folder: Path, seed: int, count: int,
                 loaded: int) -> dict[str, Any]:
    """In-process: alone, and the first of them in several contexts."""
    load = (["--contexts", str(CONTEXTS), "--loaded", str(loaded)]
            if loaded else [])
    done = subprocess.run(
        [program, "--seed", str(seed), "--count", str(count), "--write",
         folder, *load], capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise DevError("the programs differ from the oracle in-process "
                       "already:\n" + done.stdout[-2000:] + done.stderr[-500:])
    return last_json(done.stdout)


def run_programs(g: guest.Guest, first: int, options: str = ""
                 ) -> dict[str, Any]:
    """On the devices of one way, of which `first` is the lowest node."""
    nodes = " ".join(f"--device /dev/accel/accel{first + i}"
                     for i in range(len(TARGETS)))
    rc, out, err = g.run_split(
        f"random_programs --run /data/random {nodes} {options}", LIMIT)
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


def run_loaded(g: guest.Guest, able: list[Way], count: int) -> Report:
    """The first programs of the corpus in several contexts at once: each gives
    its own bytes and cycles, and all ways give one hash and one sum."""
    report = Report()
    seen: dict[tuple[str, int], list[str]] = {}
    for i, way in enumerate(able):
        inside = run_programs(g, i * len(TARGETS),
                              f"--contexts {CONTEXTS} --loaded {count}")
        runs = inside["count"] * inside["contexts"]
        report.passed += runs - min(runs, inside["mismatches"])
        report.failed += [f"{CONTEXTS} contexts, {way}: {line}"
                          for line in inside["errors"]]
        seen.setdefault((inside["hash"], inside["cycles"]), []).append(str(way))
    if len(seen) > 1:
        report.failed.append(f"{CONTEXTS} contexts: {len(seen)} pairs of hash "
                             f"and cycles: {seen}")
    for (digest, cycles), who in seen.items():
        say(f"    {CONTEXTS} contexts x {count} programs, {len(who)} ways: "
            f"hash {digest[:16]}, {cycles} cycles a context")
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
        escapes: int = 500, loaded: int = 40) -> Report:
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
        sim = write_corpus(found["random_programs"], Path(folder), seed, count,
                           loaded)
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
            if loaded:
                parts.append(run_loaded(g, able, min(loaded, count)))
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
    parser.add_argument("--loaded", type=int, default=40,
                        help=f"programs to run in {CONTEXTS} contexts at once")
    parser.add_argument("--programs", type=Path,
                        help="folder of the built programs; builds nothing")
    args = parser.parse_args()
    report = run(args.programs, args.seed, args.count, args.escapes,
                 args.loaded)
    for line in report.failed:
        say("FAILED " + line)
    for what, why in report.skipped:
        say(f"SKIPPED {what}: {why}")
    say(f"{report.passed} passed, {len(report.failed)} failed, "
        f"{len(report.skipped)} skipped")
    return bool(report.failed)


if __name__ == "__main__":
    sys.exit(main())
