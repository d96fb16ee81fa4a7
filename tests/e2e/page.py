# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Do what a page of the documentation tells a reader to do.

    python tests/e2e/page.py docs/flax.md --bin DIR --work DIR [--guest]

Blocks of Python that begin with `# name.py` are written to that file; each command of a `sh` block
is run in --work, where PATH has --bin and this python, and has to succeed. With --guest those of
`sh guest` blocks are run instead: they boot a guest from the files that are there, and the outputs
that they print (`sha256`) have to be among those printed in-process. One line a command; ends with
`N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from paths import ROOT

BLOCK = re.compile(r"^```(python|sh guest|sh)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (\S+\.py)\n")
TIME_LIMIT = 300


def commands(block: str) -> Iterator[str]:
    """One a line, unless a line ends with a backslash."""
    yield from block.replace("\\\n", "").splitlines()


def environment(bin: Path) -> dict[str, str]:
    places = [str(bin.resolve()), str(Path(sys.executable).parent), os.environ["PATH"]]
    hide = {k: v for k, v in os.environ.items() if k != "LOOM_DEVICE"}
    return {
        **hide,
        "PATH": ":".join(places),
        "PYTHONPATH": str(ROOT / "umd" / "python"),
        "LOOM": str(ROOT),
    }


def sums(text: str) -> set[str]:
    return set(re.findall(r"sha256 ([0-9a-f]{64})", text))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc and loom")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--guest", action="store_true", help="only those for a guest")
    o = parser.parse_args()
    o.work.mkdir(parents=True, exist_ok=True)
    said = o.work / "said.txt"
    in_process = said.read_text() if o.guest else ""
    passed, failed, text = 0, 0, ""
    for kind, block in BLOCK.findall(o.page.read_text()):
        if kind == "python":
            name = FILE.match(block)
            if name:
                (o.work / name.group(1)).write_text(block)
            continue
        for command in commands(block) if (kind == "sh guest") == o.guest else ():
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=o.work,
                env=environment(o.bin),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIME_LIMIT,
                check=False,
            )
            text += done.stdout
            wrong = f"status {done.returncode}" if done.returncode else ""
            if o.guest and not sums(done.stdout) <= sums(in_process):
                wrong = "other outputs than in-process"
            passed, failed = passed + (not wrong), failed + bool(wrong)
            print(f"{'FAIL' if wrong else 'pass'}  {command[:90]}{': ' if wrong else ''}{wrong}")
            if wrong:
                print("      | " + "\n      | ".join(done.stdout.strip().splitlines()[-12:]))
    if not o.guest:
        said.write_text(text)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
