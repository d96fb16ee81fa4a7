# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The long suites of `./dev test --deep`. Each leaves docs/results/NAME.json:
commit, CPU, duration, counts, seed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from . import checks, guest, host, kernel, qemu, runners, setup, tests, util
from .checks import Report
from .util import DevError, ROOT, say

RESULTS = ROOT / "docs" / "results"
Suite = Callable[[int], tuple[Report, dict[str, Any]]]
SUITES: dict[str, Suite] = {}
COVERS: dict[str, tuple[str, ...]] = {}
MODEL = ("uapi", "qemu-device/model")
DRIVER = ("uapi", "accel", "tests/guest")


def suite(name: str, *covers: str) -> Callable[[Suite], Suite]:
    """Declares a suite: it takes a seed, returns its report and its counts.
    covers: the paths whose change makes an older result stale."""
    def declare(function: Suite) -> Suite:
        SUITES[name] = function
        COVERS[name] = covers
        return function
    return declare


@suite("kasan", *DRIVER)
def kasan(seed: int) -> tuple[Report, dict[str, Any]]:
    """The driver's interface under KASAN, lockdep and the other checkers."""
    k = kernel.build_kasan()
    kernel.build_module(k)
    qemu.build()
    host.build(host.HOST)
    binary = host.find_program("loom_uapi_test")
    config = guest.Config(kernel="kasan",
                          programs={f"/bin/{binary.name}": binary})
    with guest.Guest(config) as g:
        g.load_driver("hang_ms=500")
        report = runners.guest_gtest(g, f"/bin/{binary.name}", timeout=3000,
                                     args=f"--gtest_random_seed={seed % 99999}")
        leaks = leaked(g)
        g.check_run("rmmod loom")
        g.check()
    if leaks:
        report.failed.append("kmemleak: " + leaks[:2000])
    return report, {"kernel": k.release}


def leaked(g: guest.Guest) -> str:
    """kmemleak twice: the first scan also reports what is still moving."""
    g.run("echo scan > /sys/kernel/debug/kmemleak; sleep 6; "
          "echo scan > /sys/kernel/debug/kmemleak", 300.0)
    text = g.run("cat /sys/kernel/debug/kmemleak").stdout
    return text if "loom" in text else ""


@suite("random", *MODEL, "umd/libloom", "tests/random")
def random_programs(seed: int) -> tuple[Report, dict[str, Any]]:
    """Random programs against the scalar oracle, and ten thousand that aim
    outside, with a new seed."""
    host.build(host.HOST)
    report = Report()
    for program, count in (("random_programs", 2000),
                           ("random_escapes", 100000)):
        args = ["--seed", str(seed % (1 << 31)), "--count", str(count)]
        try:
            util.run([host.find_program(program), *args], f"deep-{program}",
                     append=False)
            report.passed += count
        except DevError as e:
            report.failed.append(str(e))
    return report, {"random_programs": 2000, "random_escapes": 100000}


@suite("elementary", "uapi/loom_num.h", "uapi/loom_num_elementary.h",
       "qemu-device/model", "tests/elementary", "tests/common")
def elementary(seed: int) -> tuple[Report, dict[str, Any]]:
    """Elementary functions: all 2^32 arguments, or 10^9 pairs, against libm."""
    host.build(host.HOST, ("elementary",))
    report = runners.counted(
        [host.find_program("elementary"), "--full", "--seed",
         str(seed % (1 << 31))], "deep-elementary", timeout=7200)
    lines = (util.LOGS / "deep-elementary.log").read_text().splitlines()
    return report, {line.split()[0]: " ".join(line.split()[1:])
                    for line in lines if ", hash " in line}


@suite("faults", *DRIVER, "qemu-device")
def faults(seed: int) -> tuple[Report, dict[str, Any]]:
    """A thousand faults of each kind, while others work."""
    folder = tests.folder_of("loom_fault_test")
    report = runners.counted(
        ["/usr/bin/python3", ROOT / "tests" / "guest" / "faults.py",
         "--programs", folder, "--count", "1000"], "deep-faults",
        timeout=14400)
    return report, {"faults_each": 1000}


@suite("fuzz", *MODEL, "accel/core", "compiler/lib/Frontend", "umd")
def fuzz(seed: int) -> tuple[Report, dict[str, Any]]:
    """Every fuzzer for ten minutes."""
    host.build(host.FUZZ)
    report = Report()
    for name in tests.fuzzer_names():
        report.add(runners.fuzz(host.FUZZ.dir / "fuzzers" / name, 600))
    return report, {"fuzzers": tests.fuzzer_names()}


@suite("mutants", *DRIVER, "qemu-device/model", "compiler", "tests/mutants")
def mutants(seed: int) -> tuple[Report, dict[str, Any]]:
    """Every one-line bug has to be noticed by the test it names."""
    report = Report()
    script = ROOT / "tests" / "mutants" / "run.py"
    rooms = sorted(p.name for p in script.parent.iterdir() if p.is_dir()
                   and any(p.glob("*.patch")))
    for room in rooms:
        report.add(runners.counted(
            ["/usr/bin/python3", script, "--room", room], f"mutants-{room}",
            timeout=2700))
    return report, {"rooms": rooms}


# --- how old the results are -------------------------------------------------

def state(name: str) -> str:
    """"never run", or what its latest result was and whether it is stale."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return "never run"
    result = json.loads(path.read_text())
    commit = result["commit"].rstrip("+")
    text = f"{result['passed']} passed, {result['failed']} failed"
    changed = util.capture(["git", "diff", "--quiet", commit, "HEAD", "--",
                            *COVERS[name]]).returncode
    return text + (f"; older than the code it tests (commit {commit[:8]})"
                   if changed else "")


# --- the command -------------------------------------------------------------

def main(name: str) -> int:
    if not name:
        for key, function in SUITES.items():
            text = (function.__doc__ or "").strip().split("\n")[0]
            say(f"{key:10} {text} [{state(key)}]")
        return 0
    if name not in SUITES:
        raise DevError(f"no suite '{name}'; there are: " + ", ".join(SUITES))
    setup.setup()
    seed = random.SystemRandom().randrange(1 << 32)
    say(f"==> {name}, seed {seed}")
    start = time.monotonic()
    report, counts = SUITES[name](seed)
    seconds = time.monotonic() - start
    record(name, seed, seconds, report, counts)
    for failure in report.failed[:40]:
        say("fail  " + failure)
    return checks.close(report)


def record(name: str, seed: int, seconds: float, report: Report,
           counts: dict[str, Any]) -> None:
    commit = util.capture(["git", "rev-parse", "HEAD"]).stdout.strip()
    dirty = bool(util.capture(["git", "status", "--porcelain",
                               "--untracked-files=no"]).stdout.strip())
    result = {"suite": name, "commit": commit + ("+" if dirty else ""),
              "cpu": tests.cpu_name(), "cpus": util.jobs(),
              "seconds": round(seconds, 1), "seed": seed,
              "passed": report.passed, "failed": len(report.failed),
              "skipped": len(report.skipped), "counts": counts}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    say(f"    {path.relative_to(ROOT)} written")
