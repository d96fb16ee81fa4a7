# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The long suites of `./dev test --deep`. Each leaves docs/results/NAME.json:
commit, CPU, duration, counts, seed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import (abi, checks, conformance, e2e, host, jaxguest, kernel, plugin,
               qemu, runners, setup, tests, training, util, wheel)
from .checks import Report
from .util import DevError, ROOT, say

LIMIT = 2700.0  # seconds that a suite may take
FUZZ_SECONDS = 600
KASAN_FAULTS = 10  # of each kind
KILLS = 1000  # of processes, at random moments of a chain
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
    """The driver's interface and its recovery from faults under KASAN, lockdep
    and the other checkers."""
    qemu.build()
    host.build(host.HOST)
    report = tests.kasan_suite(f"--gtest_random_seed={seed % 99999}")
    report.add(runners.counted(
        ["/usr/bin/python3", ROOT / "tests" / "guest" / "faults.py",
         "--programs", tests.folder_of("loom_fault_test"), "--kernel", "kasan",
         "--count", str(KASAN_FAULTS)], "deep-kasan-faults", timeout=LIMIT))
    return report, {"kernel": kernel.kasan().release,
                    "faults_each": KASAN_FAULTS}


@suite("kasan-kills", *DRIVER)
def kasan_kills(seed: int) -> tuple[Report, dict[str, Any]]:
    """A thousand processes killed in mid-chain, under KASAN and lockdep."""
    qemu.build()
    host.build(host.HOST)
    report = tests.kasan_suite("--gtest_filter='CpuKill.*'",
                               f"LOOM_KILLS={KILLS}")
    return report, {"kernel": kernel.kasan().release, "kills": KILLS}


@suite("training", *MODEL, "compiler", "umd", "accel/core", "tests/e2e")
def training_runs(seed: int) -> tuple[Report, dict[str, Any]]:
    """A hundred train steps of each program against JAX, each from its state
    and all on end; the digits CNN made, trained and evaluated on the device."""
    host.build(host.HOST)
    return training.deep_in_process()


@suite("training-guest", *DRIVER, "compiler", "umd", "qemu-device",
       "tests/e2e")
def training_guest(seed: int) -> tuple[Report, dict[str, Any]]:
    """What the suite training ran, in a guest: the same bits."""
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    names = training.left_in(training.DEEP_WORK)
    return training.in_guest(training.DEEP_WORK, names), {"programs": names}


@suite("random", *MODEL, "umd/libloom", "tests/random", "accel", "qemu-device")
def random_programs(seed: int) -> tuple[Report, dict[str, Any]]:
    """Random programs against the scalar oracle, and ten thousand that aim
    outside, with a new seed; 500 in every way in-process and in QEMU, alone
    and in four contexts at once."""
    folder = tests.prepared("random_programs").parent
    report = runners.counted(
        ["/usr/bin/python3", ROOT / "tests" / "random" / "guest.py",
         "--programs", folder, "--seed", str(seed % (1 << 31)), "--count",
         "500", "--loaded", "500"], "deep-random-guest", timeout=LIMIT)
    for program, count in (("random_programs", 2000),
                           ("random_escapes", 100000)):
        args = ["--seed", str(seed % (1 << 31)), "--count", str(count)]
        try:
            util.run([host.find_program(program), *args], f"deep-{program}",
                     append=False)
            report.passed += count
        except DevError as e:
            report.failed.append(str(e))
    return report, {"random_programs": 2000, "random_escapes": 100000,
                    "in_every_way": 500, "contexts": 4}


@suite("zoo", "uapi", "compiler", "umd", "qemu-device", "accel", "tests/e2e")
def zoo(seed: int) -> tuple[Report, dict[str, Any]]:
    """Every model in f32 and bf16, small and at its real size; digits,
    ResNet-50 and BERT-base in the guest. Writes docs/results/models.md."""
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    report = e2e.deep()
    rows = json.loads(e2e.DEEP.rows.read_text())
    return report, {
        "targets": list(e2e.TARGETS), "in_the_guest": list(e2e.REAL_IN_GUEST),
        "models": len({r["model"] for r in rows if " broken" not in r["model"]}),
        "real_size": [r for r in rows if "real_size" in r
                      and " broken" not in r["model"]]}


@suite("conformance", "uapi", "compiler", "umd", "qemu-device/model",
       "accel/core", "tests/conformance")
def conformance_all(seed: int) -> tuple[Report, dict[str, Any]]:
    """All of JAX's own test harnesses. Writes docs/coverage.md and
    docs/coverage.json."""
    host.build(host.HOST)
    conformance.run_cases(conformance.SAMPLE, ("--write",))
    report = conformance.run_cases(conformance.ALL, ("--write",))
    return report, {"cases": report.detail.split(";")[0]}


@suite("jax-versions", "umd", "compiler", "devtools/smoke.py")
def jax_versions(seed: int) -> tuple[Report, dict[str, Any]]:
    """The wheel beside each release of JAX that the package says it is tested
    with, each in a clean venv."""
    setup.venv_python()
    built = wheel.build()
    report, counts = Report(), {}
    for version in wheel.tested_jax():
        one = wheel.try_out(built, version)
        counts[version] = f"{one.passed} passed, {len(one.failed)} failed"
        one.failed = [f"jax {version}: {text}" for text in one.failed]
        report.add(one)
    return report, {"wheel": built.name, "jax": counts}


@suite("abi", "umd/pjrt/abi.h", "umd/pjrt/abi_objects.h",
       "umd/pjrt/abi_profiler.h", "umd/pjrt/slots.h",
       "umd/pjrt/tests/abi_check.py")
def pjrt_declarations(seed: int) -> tuple[Report, dict[str, Any]]:
    """The plugin's structures and slots against headers of the PJRT C API from
    the package index, a minor before its own and one after."""
    return abi.compare()


PLUGIN = (*MODEL, "compiler", "umd", "accel/core", "tests/jax")


@suite("examples", *PLUGIN, "examples", "devtools/wheel.py")
def examples(seed: int) -> tuple[Report, dict[str, Any]]:
    """Every example from its first step to its last, in a clean venv with the
    wheel and nothing set but JAX_PLATFORMS, against the CPU."""
    return plugin.whole_examples()


@suite("jax-conformance", *PLUGIN, "tests/conformance")
def jax_conformance(seed: int) -> tuple[Report, dict[str, Any]]:
    """All of JAX's own harnesses through JAX on the plugin. Writes
    docs/results/jax-conformance-passed.json."""
    plugin.harnesses(conformance.SAMPLE, "--write")
    report = plugin.harnesses(conformance.ALL, "--write")
    return report, {"cases": report.detail}


@suite("jax-guest", *DRIVER, "compiler", "umd", "qemu-device", "examples",
       "tests/jax/run_program.py", "devtools/jaxguest.py")
def jax_in_guest(seed: int) -> tuple[Report, dict[str, Any]]:
    """JAX itself in a guest, on the driver: the first losses of every example
    are those in-process, and near the CPU's; the package without JAX; doctor."""
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    return jaxguest.suite()


# What makes a page of a suite's result.
PAGES: dict[str, Callable[[Path], None]] = {"zoo": e2e.write_tables}


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
        timeout=LIMIT)
    return report, {"faults_each": 1000}


@suite("fuzz", *MODEL, "accel/core", "compiler/lib/Frontend", "umd")
def fuzz(seed: int) -> tuple[Report, dict[str, Any]]:
    """Every fuzzer for ten minutes, two at a time."""
    host.build(host.FUZZ)
    names = tests.fuzzer_names()
    report = Report()
    with ThreadPoolExecutor(util.jobs()) as pool:
        for found in pool.map(
                lambda name: runners.fuzz(host.FUZZ.dir / "fuzzers" / name,
                                          FUZZ_SECONDS), names):
            report.add(found)
    report.add(tests.compiler_fuzzers(FUZZ_SECONDS, "deep-fuzz-compiler"))
    return report, {"fuzzers": names, "seconds_each": FUZZ_SECONDS}


MUTANT_ROOMS = {"model": MODEL, "driver": DRIVER,
                "compiler": ("uapi", "compiler"),
                "plugin": ("uapi", "umd", "qemu-device/model")}


def mutant_suite(room: str) -> Suite:
    def mutants(seed: int) -> tuple[Report, dict[str, Any]]:
        report = runners.counted(
            ["/usr/bin/python3", ROOT / "tests" / "mutants" / "run.py",
             "--room", room], f"mutants-{room}", timeout=LIMIT)
        return report, {"room": room}
    mutants.__doc__ = (f"Every one-line bug in the {room} is noticed by the "
                       "test it names.")
    return mutants


for _room, _covers in MUTANT_ROOMS.items():
    suite(f"mutants-{_room}", *_covers, f"tests/mutants/{_room}")(
        mutant_suite(_room))


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
            say(f"{key:17} {text} [{state(key)}]")
        return 0
    chosen = [key for key in SUITES if key == name or
              key.startswith(name + "-")]
    if not chosen:
        raise DevError(f"no suite '{name}'; there are: " + ", ".join(SUITES))
    setup.setup()
    return max(run_suite(key) for key in chosen)


def run_suite(name: str) -> int:
    seed = random.SystemRandom().randrange(1 << 32)
    say(f"==> {name}, seed {seed}")
    start = time.monotonic()
    report, counts = SUITES[name](seed)
    seconds = time.monotonic() - start
    record(name, seed, seconds, report, counts)
    if name in PAGES:
        PAGES[name](RESULTS / f"{name}.json")
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
