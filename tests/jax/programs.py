# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs plain JAX programs on the CPU and on Loom, and compares what they print.

    python tests/jax/programs.py --work DIR --answers DIR [--steps N] [--absolute]
                                 [--installed PYTHON] [--cpu-only] SCRIPT...

Each script runs in a process of its own, on JAX_PLATFORMS=cpu (once as it is, and four times with
its initial parameters nudged; kept among the answers until the script changes) and on loom,cpu.
judge.py says what has to agree. Every program that JAX had compiled has to have been executed by
Loom. With --installed, the script runs on Loom as a user would run it: in a venv that loom-npu was
installed into, nothing set but JAX_PLATFORMS, a home of its own.
One line a script; ends with `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from judge import Said, runs, summary, wrong
from plugin import ROOT, environment

RUNNER = Path(__file__).resolve().parent / "run_program.py"
REQUIREMENTS = ROOT / "umd" / "python" / "requirements.txt"
NUDGES = 4
LIMIT = 2400  # seconds


class Failed(Exception):
    pass


def call(words: list[str], env: dict[str, str], python: Path = Path(sys.executable)) -> str:
    """What the script printed."""
    done = subprocess.run(
        [str(python), str(RUNNER), *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    if done.returncode:
        raise Failed(f"code {done.returncode}: {tail(done.stderr)}")
    return done.stdout


def tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])


def on_cpu(script: Path, arguments: list[str], answers: Path) -> list[Said]:
    """The CPU's answers, and the nudged ones, from disk where they are made already."""
    key = hashlib.sha256(json.dumps(arguments).encode())
    for path in (script, RUNNER, RUNNER.parents[1] / "e2e" / "spread.py", REQUIREMENTS):
        key.update(path.read_bytes())
    kept = answers / f"{script.stem}-{key.hexdigest()[:16]}.txt"
    if not kept.is_file():
        # The nudged runs compile what the first one did.
        cache = {
            "JAX_COMPILATION_CACHE_DIR": str(answers / "xla"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            # bf16 is rounded after every operation, as it is written.
            "XLA_FLAGS": "--xla_allow_excess_precision=false",
        }
        words = ["--nudges", str(NUDGES), str(script), *arguments]
        text = call(words, environment("cpu", **cache))
        part = kept.with_suffix(f".part{os.getpid()}")
        part.write_text(text)
        part.replace(kept)
    return runs(kept.read_text())


def on_loom(
    script: Path, arguments: list[str], options: argparse.Namespace
) -> tuple[Said, dict[str, Any]]:
    name = f"{script.parent.name}-{script.stem}"
    file = options.work / f"{name}.json"
    file.unlink(missing_ok=True)
    words = ["--told", str(file), str(script), *arguments]
    if options.installed:
        with tempfile.TemporaryDirectory(dir=options.work, prefix=f"{name}-home") as home:
            text = call(words, bare(home), options.installed)
    else:
        text = call(words, environment("loom,cpu"))
    told = json.loads(file.read_text())
    if told["wrong"]:
        raise Failed(told["wrong"])
    if options.installed and not comes_with(options.installed, Path(told["package"])):
        raise Failed(f"{told['package']} was imported, not what is installed")
    return Said.of(text), told


def bare(home: str) -> dict[str, str]:
    """What any process has, and JAX_PLATFORMS."""
    return {"PATH": os.environ["PATH"], "HOME": home, "JAX_PLATFORMS": "loom,cpu"}


def comes_with(python: Path, package: Path) -> bool:
    """Whether the package lies in the venv of `python`."""
    return package.is_relative_to(python.parent.parent)


def check(script: Path, options: argparse.Namespace) -> str:
    """One script; raises Failed, returns what to print."""
    arguments = [] if options.steps is None or not takes_steps(script) else [
        "--steps", str(options.steps)
    ]
    cpu, *nudged = on_cpu(script, arguments, options.answers)
    if options.cpu_only:
        text = wrong(cpu, cpu, nudged)
        if text:
            raise Failed(text)
        return summary(cpu, cpu, nudged)
    start = time.monotonic()
    loom, told = on_loom(script, arguments, options)
    seconds = time.monotonic() - start
    if text := wrong(loom, cpu, nudged, options.absolute):
        raise Failed(text)
    return f"{summary(loom, cpu, nudged)}; {told['compiled']} programs; {seconds:.1f} s"


def takes_steps(script: Path) -> bool:
    return '"--steps"' in script.read_text()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True, help="the CPU's, kept")
    parser.add_argument("--steps", type=int, help="of those that take steps")
    parser.add_argument("--absolute", action="store_true", help="1e-3, whatever the loss is")
    parser.add_argument("--installed", type=Path, help="the python of a venv with loom-npu")
    parser.add_argument("--cpu-only", action="store_true", help="make the CPU's answers")
    parser.add_argument("--jobs", type=int, default=1, help="scripts at a time")
    parser.add_argument("--json", type=Path, help="write what each check said here")
    parser.add_argument("scripts", type=Path, nargs="+")
    options = parser.parse_args()
    for folder in (options.work, options.answers):
        folder.mkdir(parents=True, exist_ok=True)
    failed, rows = 0, []

    def one(script: Path) -> tuple[bool, str]:
        try:
            return True, check(script, options)
        except (Failed, subprocess.TimeoutExpired) as e:
            return False, str(e)

    with ThreadPoolExecutor(options.jobs) as pool:
        for script, (good, text) in zip(
            options.scripts, pool.map(one, options.scripts), strict=True
        ):
            failed += not good
            name = f"{script.parent.name}/{script.stem}"
            rows.append({"check": name, "text": text})
            print(f"{'ok    ' if good else 'FAILED'} {name}: {text}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows))
    print(f"{len(options.scripts) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
