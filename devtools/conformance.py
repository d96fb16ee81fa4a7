# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX's test harnesses, compiled, run and compared with JAX."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import host, setup, util
from .checks import Report
from .util import DevError, ROOT, run

FOLDER = ROOT / "tests" / "conformance"
OUT = util.BUILD / "conformance"
SAMPLE = ("sample",)
ALL = ("sample", "rest")
MODES = ((), ("--x64",))


def corpus(part: str) -> Path:
    """Artifacts, inputs and JAX's answers: made once for a version of JAX and
    of the exporter, outside the checkout."""
    exporter = FOLDER / "export.py"
    key = util.digest(setup.REQUIREMENTS.read_text(), exporter.read_text())
    folder = util.cache_dir() / f"conformance-{key}" / part
    with util.locked(folder.parent / f".{part}.lock"):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            with util.step(f"export JAX's harnesses ({part})"):
                export(exporter, folder, part)
            (folder / "ready").touch()
    return folder


def export(exporter: Path, folder: Path, part: str) -> None:
    jobs = [(mode, worker) for mode in MODES for worker in range(util.jobs())]

    def one(job: tuple[tuple[str, ...], int]) -> None:
        mode, worker = job
        run([setup.venv_python(), exporter, folder, "--part", part, "--worker",
             f"{worker}/{util.jobs()}", *mode],
            f"conformance-export-{part}-{worker}{''.join(mode)}",
            env=setup.python_env(), append=False)

    with ThreadPoolExecutor(util.jobs()) as pool:
        list(pool.map(one, jobs))


def indices(parts: tuple[str, ...]) -> list[Path]:
    """Index files, x32 first: what both modes have is run once."""
    found = [path for part in parts for path in corpus(part).glob("*.jsonl")]
    return sorted(found, key=lambda p: (p.name, p.parent.name))


def run_cases(parts: tuple[str, ...], options: tuple[str, ...] = ()) -> Report:
    """`options`: of coverage.py."""
    which = "all" if parts == ALL else "sample"
    OUT.mkdir(parents=True, exist_ok=True)
    results, reasons = OUT / f"{which}.jsonl", OUT / f"{which}-reasons.txt"
    files = indices(parts)
    run([host.find_program("conformance"), "--workers", str(util.jobs()),
         results, *files], f"conformance-{which}", append=False)
    judge = util.capture([setup.venv_python(), FOLDER / "coverage.py", results,
                          *files, "--corpus", which, "--reasons", reasons,
                          *options], env=setup.python_env())
    return counted(judge.stdout + judge.stderr, reasons)


def counted(text: str, reasons: Path) -> Report:
    last = re.search(r"^passed (\d+) failed (\d+)$", text, re.M)
    if not last:
        raise DevError("coverage.py gave no verdict:\n" + text[-2000:])
    summary = text.splitlines()[0]
    return Report(passed=int(last[1]),
                  failed=re.findall(r"^worse: (.*)$", text, re.M),
                  detail=f"{summary}; reasons in {reasons.relative_to(ROOT)}")
