# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The random programs once more, in a guest: the same bytes and the same
cycles through the kernel driver and QEMU as in-process; and programs that aim
outside, next to another process whose buffers hold a canary.

    tests/random/guest.py [--count N] [--seed N] [--escapes N] [--programs DIR]
"""

from __future__ import annotations

import argparse
import json
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

# By name, in the order of the devices' nodes in the guest.
TARGETS = ("npu16", "npu8", "npu64")
LIMIT = 600.0


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


def nodes() -> str:
    return " ".join(f"--device /dev/accel/accel{i}"
                    for i in range(len(TARGETS)))


def run_programs(g: guest.Guest) -> dict[str, Any]:
    rc, out, err = g.run_split(
        f"random_programs --run /data/random {nodes()}", LIMIT)
    if rc not in (0, 1) or not out.strip():
        raise DevError(f"random_programs ended with code {rc} in the guest: "
                       + err.decode(errors="replace")[-2000:])
    result = last_json(out.decode())
    result["errors"] = err.decode(errors="replace").splitlines()[:10]
    return result


def compare(sim: dict[str, Any], inside: dict[str, Any]) -> Report:
    report = Report(passed=inside["count"] - inside["mismatches"])
    report.failed += inside["errors"]
    for key in ("count", "hash", "cycles"):
        if sim[key] != inside[key]:
            report.failed.append(f"{key}: {sim[key]} in-process, "
                                 f"{inside[key]} in the guest")
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
    with tempfile.TemporaryDirectory(prefix="loom-random-") as folder:
        sim = write_corpus(found["random_programs"], Path(folder), seed, count)
        files: dict[str, Path | bytes] = {
            f"/data/random/{p.name}": p for p in Path(folder).iterdir()}
        config = guest.Config(
            devices=tuple(f"loom,target={t}" for t in TARGETS), files=files,
            programs={f"/bin/{n}": p for n, p in found.items()})
        with guest.Guest(config) as g:
            g.load_driver()
            inside = run_programs(g)
            report = compare(sim, inside)
            if escapes:
                part = run_escapes(g, seed, escapes)
                report.passed += part.passed
                report.failed += part.failed
            g.check()
    say(f"    {inside['count']} programs, hash {inside['hash'][:16]}, "
        f"{inside['cycles']} cycles, {inside['mismatches']} mismatches; "
        f"in-process {sim['hash'][:16]}, {sim['cycles']} cycles")
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
    say(f"{report.passed} passed, {len(report.failed)} failed, 0 skipped")
    return bool(report.failed)


if __name__ == "__main__":
    sys.exit(main())
