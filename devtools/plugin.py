# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX on the plugin: its behaviour, whole programs, JAX's own harnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import conformance, host, runners, setup, util, wheel
from .checks import Report
from .util import ROOT

FOLDER = ROOT / "tests" / "jax"
EXAMPLES = ROOT / "examples"
WORK = util.BUILD / "jax"
FEW_STEPS = 25  # of an example, so that it takes seconds
ASKED_FOR = ("scikit-learn",)  # by examples, beside JAX and Flax
KEPT = ROOT / "docs" / "results" / "jax-conformance-passed.json"
LIMIT = 2700.0


def built() -> None:
    host.build(host.HOST)


def library() -> Path:
    return host.find_program("libloom_pjrt.so")


def api() -> Report:
    built()
    return runners.pytest(FOLDER)


def programs(name: str, scripts: list[Path], *options: str) -> Report:
    """Plain JAX programs, on the CPU and on Loom. The CPU's answers are made
    once, outside the checkout, for a program and a kind of CPU."""
    cpu = util.digest(Path("/proc/cpuinfo").read_text().split("\n\n")[0]
                      .partition("model name")[2].partition("\n")[0])
    answers = util.cache_dir() / f"jax-programs-{cpu}"
    return runners.counted(
        [setup.venv_python(), FOLDER / "programs.py", "--work", WORK / name,
         "--answers", answers, "--jobs", str(util.jobs()), *options, *scripts], f"test-jax-{name}",
        env=setup.python_env(), timeout=LIMIT)


def ten_programs() -> Report:
    built()
    return programs("programs", sorted((FOLDER / "programs").glob("*.py")))


def examples() -> Report:
    built()
    return programs("examples", sorted(EXAMPLES.glob("*.py")), "--absolute",
                    "--steps", str(FEW_STEPS))


def whole_examples() -> tuple[Report, dict[str, Any]]:
    """As a user runs them, in a clean venv with the wheel: what it checked,
    and what each said."""
    rows = WORK / "examples-whole.json"
    rows.unlink(missing_ok=True)
    made = wheel.build()
    with wheel.installed(made, wheel.tested_jax()[0], ASKED_FOR) as python:
        report = programs(
            "examples-whole", sorted(EXAMPLES.glob("*.py")), "--absolute",
            "--installed", str(python), "--json", str(rows))
    said = {r["check"]: r["text"] for r in json.loads(rows.read_text())}
    return report, {"wheel": made.name, **said}


def harnesses(parts: tuple[str, ...], *options: str) -> Report:
    """JAX's harnesses through JAX; the corpus is the compiler's."""
    built()
    which = "all" if parts == conformance.ALL else "sample"
    report = runners.counted(
        [setup.venv_python(), FOLDER / "conformance.py", "--judge",
         host.find_program("conformance_given"), "--work",
         WORK / f"conformance-{which}", "--corpus", which, "--kept", KEPT,
         "--jobs", str(util.jobs()), *options, *conformance.indices(parts)],
        f"test-jax-conformance-{which}", env=setup.python_env(), timeout=LIMIT)
    log = (util.LOGS / f"test-jax-conformance-{which}.log").read_text()
    report.detail = next((line for line in log.splitlines()
                          if "cases that run pass" in line), "")
    return report
