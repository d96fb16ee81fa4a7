# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Broken, wrong and hostile input: loomc and loom have to refuse it in one clear message.

    python tests/e2e/bad_input.py --bin DIR [--only TEXT]... [--verbose] [--keep DIR]

Each case has to end with a non-zero status (no signal, no sanitizer, no assertion) in time and
memory, say what is wrong, where, and what to do, and leave no output behind. Random bit flips may
also turn out harmless: then the tool succeeds or refuses, but never anything else. Ends with
`N passed, N failed, N skipped`. Cases are made by bad_files.py (files), bad_programs.py (what JAX
can express and Loom cannot run) and bad_state.py (runs of programs with state).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bad_cases import Case, Shop

TIME_LIMIT = 60  # seconds
MEMORY_LIMIT = 1536  # MiB resident; files are up to 8 GiB and sparse, so that reading them shows
REMEDY = re.compile(
    r"\b(add|check|choose|compile|compute|convert|copy|correct|create|drop|export|express|factorise|give|install|keep|leave|list|"
    r"load|make|move|name|omit|pass|pick|provide|recompile|reduce|regenerate|rebuild|remove|rename|replace|"
    r"reshape|run|save|see|select|set|sort|split|transform|try|upgrade|use|write)\b|\bit has: |; there (is|are):? |"
    r"no such file or directory$",  # a wrong path says enough
    re.I | re.M,
)
# A tool's own name, and paths: their words are no advice.
NAMES = re.compile(r"^(loom run|loomc|loom)(: error)?:|\S*/\S*", re.M)
# What a tool prints when it broke instead of refusing.
BROKE = re.compile(
    r"assert(ion)?\b.*failed|stack dump|terminate called|sanitizer|runtime error:|traceback|"
    r"std::\w|bad_alloc|failed to legalize|unreachable|core dumped",
    re.I,
)


def run(case: Case, environment: dict[str, str]) -> tuple[int, str, float, bool]:
    """Status (negative: signal), what it said, peak resident MiB, and whether it had to be killed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        child = subprocess.Popen(
            [str(w) for w in case.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**environment, **case.environment},
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(TIME_LIMIT, end)
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return child.returncode, said.read(100_000), usage.ru_maxrss / 1024, late.is_set()


def judge(case: Case, status: int, said: str, memory: float, late: bool) -> list[str]:
    """What is wrong with how a tool took one case; empty: nothing."""
    if late:
        return [f"no end after {TIME_LIMIT} s"]
    wrong = []
    if status < 0 or status >= 126:
        wrong.append(f"died of signal {-status}" if status < 0 else f"status {status}")
    if memory > MEMORY_LIMIT:
        wrong.append(f"took {memory:.0f} MiB")
    if broke := BROKE.search(said):
        wrong.append(f"broke: {broke.group(0)!r}")
    if status == 0:
        return wrong if case.may_succeed else [*wrong, "was accepted"]
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return [*wrong, "said nothing"]
    if len(lines) > case.lines:
        wrong.append(f"said {len(lines)} lines, at most {case.lines}")
    if re.search(r"[^\n\t -~\u00a0-\ufffc]", said):
        wrong.append("said bytes that are no text")
    if any(len(line) > 2000 for line in lines):
        wrong.append("said a line of over 2000 characters")
    wrong += [f"does not say {w!r}" for w in case.words if not re.search(w, said, re.I)]
    if case.remedy and not case.may_succeed and not REMEDY.search(NAMES.sub("", said)):
        wrong.append("names no remedy")
    wrong += [f"left {p.name} behind" for p in case.absent if p.exists()]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc and loom")
    parser.add_argument("--only", action="append", help="only cases whose name contains this")
    parser.add_argument("--keep", type=Path, help="make the files here and leave them")
    parser.add_argument("--verbose", action="store_true", help="print what the tools said")
    options = parser.parse_args()
    for tool in ("loomc", "loom"):
        if not (options.bin / tool).is_file():
            parser.error(f"{options.bin / tool}: not there; build it, or correct --bin")
    with tempfile.TemporaryDirectory(prefix="loom-bad.") as scratch:
        place = options.keep or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        return run_all(place, options)


def run_all(place: Path, options: argparse.Namespace) -> int:
    import bad_files
    import bad_programs
    import bad_state

    start = time.monotonic()
    shop = Shop(place, options.bin.resolve())
    try:
        bad_programs.build(shop)
    except subprocess.CalledProcessError as e:
        print(f"FAILED the good program does not compile: {e.stderr.strip()}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    makers = [bad_files.cases(shop), bad_programs.cases(shop), bad_state.cases(shop)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOOM_")}
    passed = failed = 0
    for case in (case for maker in makers for case in maker):
        if options.only and not any(text in case.name for text in options.only):
            continue
        status, said, memory, late = run(case, environment)
        wrong = judge(case, status, said, memory, late)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        if wrong:
            print(f"FAILED {case.name}: {'; '.join(wrong)}")
        elif options.verbose:
            print(f"ok     {case.name} (status {status})")
        if (wrong or options.verbose) and said.strip():
            print("       | " + "\n       | ".join(said.strip().splitlines()[:12]), flush=True)
        for leftover in case.absent:
            leftover.unlink(missing_ok=True)
    print(f"in {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
