# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs programs of other test frameworks and counts their cases."""

from __future__ import annotations

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import setup, util
from .checks import Report, Skip
from .guest import Config, Guest
from .host import Flavour
from .util import DevError


def junit(path: Path) -> Report:
    """Counts the cases of a JUnit file, as ctest and pytest write it."""
    report = Report()
    for case in ET.parse(path).getroot().iter("testcase"):
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        if case.get("classname") == case.get("name"):
            name = case.get("name") or ""
        bad = [e for e in case if e.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad or case.get("status") == "fail":
            report.failed.append(f"{name}: {failure_text(case, bad)}")
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            reason = skipped.get("message") if skipped is not None else None
            report.skipped.append((name, reason or skip_reason(case)))
        else:
            report.passed += 1
    return report


def failure_text(case: ET.Element, bad: list[ET.Element]) -> str:
    text = "\n".join((e.text or "") + (e.get("message") or "") for e in bad)
    out = case.findtext("system-out") or ""
    return "\n".join((text + "\n" + out).strip().splitlines()[-TAIL:])


TAIL = 30


def skip_reason(case: ET.Element) -> str:
    """The line that GTEST_SKIP() printed."""
    out = (case.findtext("system-out") or "").splitlines()
    for i, line in enumerate(out):
        if ": Skipped" in line and i + 1 < len(out):
            return out[i + 1].strip()
    return "not run"


def ctest(flavour: Flavour, args: tuple[str, ...] = (),
          env: Mapping[str, str] | None = None, name: str = "",
          jobs: int | None = None) -> Report:
    """jobs: tests at a time, one on each CPU by default."""
    name = name or f"ctest-{flavour.name}"
    xml = util.BUILD / f"{name}.xml"
    xml.unlink(missing_ok=True)
    try:
        util.run(["ctest", "--test-dir", flavour.dir, "-j",
                  str(jobs or util.jobs()), "--output-on-failure",
                  "--output-junit", xml, "--no-tests=error", "--timeout", "900",
                  *args], f"test-{name}", env=env, append=False)
    except DevError:
        if not xml.is_file():
            raise
    return junit(xml)


def pytest(folder: Path, *, env: Mapping[str, str] | None = None,
           args: tuple[str, ...] = (), timeout: float = 1800) -> Report:
    if not any(folder.glob("test_*.py")):
        raise DevError(f"{folder} has no test_*.py")
    name = str(folder.relative_to(util.ROOT)).replace("/", "-")
    xml = util.BUILD / f"pytest-{name}.xml"
    xml.unlink(missing_ok=True)
    python = setup.venv_python()
    try:
        util.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                  f"--junitxml={xml}", *args, folder], f"test-{name}",
                 env={**setup.python_env(), **(env or {})}, append=False,
                 timeout=timeout)
    except DevError:
        if not xml.is_file():
            raise
    return junit(xml)


CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
FAIL_LINE = re.compile(r"^(?:not ok|FAIL(?:ED)?|fail)\b")


def counted(cmd: Sequence[str | Path], log: str, *,
            env: Mapping[str, str] | None = None,
            timeout: float = 1800) -> Report:
    """A runner of our own, that ends with `N passed, N failed[, N skipped]`."""
    error = ""
    try:
        util.run(cmd, log, env=env, append=False, timeout=timeout)
    except DevError as e:
        error = str(e)
    return count((util.LOGS / f"{log}.log").read_text(errors="replace"), log,
                 error)


def count(text: str, log: str, error: str = "") -> Report:
    """What such a runner printed, as a report; error: how it ended."""
    found = CLOSING.findall(text)
    if not found:
        raise DevError(error or f"{log}: no closing line of counts")
    passed, failed, skipped = (int(n or 0) for n in found[-1])
    lines = [line for line in text.splitlines() if FAIL_LINE.match(line)]
    if failed or error:
        lines += [error or "failed"] * max(1, failed)
        lines = lines[:max(1, failed)]
    report = Report(passed=passed, failed=lines)
    for line in text.splitlines():
        if line.lower().startswith("skip") and len(report.skipped) < skipped:
            report.skipped.append((log, line))
    return report


def gtest_json(text: bytes) -> Report:
    report = Report()
    for suite in json.loads(text)["testsuites"]:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                first = case["failures"][0]["failure"]
                report.failed.append(f"{name}: {first}")
            elif case.get("result") == "SKIPPED":
                said = case.get("skipped") or [{}]
                report.skipped.append((name, said[0].get("message", "no reason")
                                       .strip().splitlines()[-1]))
            elif case.get("result") == "COMPLETED":
                report.passed += 1
    return report


def guest_gtest(guest: Guest, program: str, *, args: str = "",
                timeout: float = 600.0, env: str = "") -> Report:
    """Runs a GoogleTest program inside the guest. env: NAME=VALUE ..."""
    rc, out = guest.run(f"cd /tmp && {env} {program} --gtest_output=json:/tmp/r.json "
                        f"--gtest_color=no {args}", timeout)
    log = util.LOGS / f"test-guest-{Path(program).name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(out)
    if guest.run("test -s /tmp/r.json").rc:
        raise DevError(f"{program} ended with code {rc} and left no result; "
                       f"see {log}\n{util.tail(log)}")
    report = gtest_json(guest.get("/tmp/r.json"))
    if rc and not report.failed:
        report.failed.append(f"{program} ended with code {rc}\n{util.tail(log)}")
    return report


def guest_suite(binary: Path, config: Config, parameters: str = "",
                timeout: float = 600.0, args: str = "") -> Report:
    """Boots, loads the driver, runs one GoogleTest program, and looks at what
    the kernel and the device said."""
    config.programs[f"/bin/{binary.name}"] = binary
    with Guest(config) as guest:
        guest.load_driver(parameters)
        report = guest_gtest(guest, f"/bin/{binary.name}", timeout=timeout,
                             args=args)
        guest.check()
    return report


def fuzz(binary: Path, seconds: int) -> Report:
    """One libFuzzer target for a while; its finds stay in build/fuzz/finds."""
    name = binary.name
    corpus = util.BUILD / "fuzz" / "corpus" / name
    finds = util.BUILD / "fuzz" / "finds" / name
    for d in (corpus, finds):
        d.mkdir(parents=True, exist_ok=True)
    seeds = util.ROOT / "tests" / "fuzz" / "corpus" / name
    log = util.LOGS / f"fuzz-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    cmd = [str(binary), f"-max_total_time={seconds}", "-timeout=20",
           "-rss_limit_mb=3000", f"-artifact_prefix={finds}/",
           "-print_final_stats=1", str(corpus)]
    if seeds.is_dir():
        cmd.append(str(seeds))
    # Debian's MLIR is not instrumented, so its containers look overflown.
    env = {**os.environ, "ASAN_OPTIONS": "detect_container_overflow=0:"
                                         "allocator_may_return_null=1"}
    with log.open("wb") as out:
        rc = subprocess.run(cmd, stdout=out, stderr=subprocess.STDOUT, env=env,
                            stdin=subprocess.DEVNULL).returncode
    text = log.read_text(errors="replace")
    if rc:
        return Report(failed=[f"{name}: code {rc}; input in {finds}, "
                              f"see {log}\n{util.tail(log)}"])
    runs = stat(text, "number_of_executed_units")
    if runs < 1000:
        return Report(failed=[f"{name}: only {runs} inputs in {seconds} s; a "
                              "fuzzer this slow finds nothing"])
    return Report(passed=1, detail=f"{runs} inputs")


def stat(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(f"stat::{name}:"):
            return int(line.split()[-1])
    return 0


def need(path: Path, what: str) -> Path:
    """Skips when a room has not got the thing yet; CI counts that as a
    failure, because there nothing of it may be missing."""
    if not path.exists():
        raise Skip(f"{path.relative_to(util.ROOT)} does not exist ({what})")
    return path
