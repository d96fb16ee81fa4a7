# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutation tests: each patch in tests/mutants/ROOM/ is one small bug, and its
first line names the test that has to notice.

    tests/mutants/run.py --room model [--only 07] [--jobs N]

The first line of a patch is one of
    Test: ctest TARGET NAME     builds TARGET; ctest's test NAME has to fail
    Test: shell COMMAND         a command, run in the tree, has to fail; if it
                                exits 75, nothing was tested
A test that fails without the bug, a patch that does not apply and a mutant that
does not build are errors: none of them says that the bug was noticed."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ROOMS = {"model": ["-DLOOM_COMPILER=OFF"], "driver": ["-DLOOM_COMPILER=OFF"],
         "compiler": [], "plugin": []}
LIMIT = 900.0
NOT_TESTED = 75  # a command's exit code: it could not build or find something


class Broken(Exception):
    """The mutant proves nothing; says why."""


@dataclasses.dataclass(frozen=True)
class Test:
    kind: str
    target: str
    name: str

    @staticmethod
    def of(patch: Path) -> Test:
        line = patch.read_text().split("\n", 1)[0]
        m = re.fullmatch(r"Test: (?:(ctest) (\S+) (\S+)|(shell) (.+))", line)
        if not m:
            raise Broken(f"{patch.name}: its first line is not `Test: ctest "
                         "TARGET NAME` or `Test: shell COMMAND`")
        if m.group(1):
            return Test("ctest", m.group(2), m.group(3))
        return Test("shell", "", m.group(5))

    def __str__(self) -> str:
        return self.name


class Tree:
    """A copy of the checkout with a build of its own."""

    def __init__(self, room: str, jobs: int) -> None:
        self.home = ROOT / "build" / "mutants" / room
        self.source = self.home / "tree"
        self.build_dir = self.home / "build"
        self.options = ROOMS[room]
        self.jobs = jobs
        self.passing: set[Test] = set()

    def copy(self) -> None:
        """Brings the copy up to date; what did not change keeps its time."""
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
            capture_output=True, text=True, check=True).stdout.splitlines()
        wanted = {n for n in names if (ROOT / n).is_file()}
        for name in wanted:
            old, new = self.source / name, ROOT / name
            if old.is_file() and old.read_bytes() == new.read_bytes():
                continue
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(new, old)
        for path in list(self.source.rglob("*")):
            name = str(path.relative_to(self.source))
            if path.is_file() and name not in wanted and \
                    not name.startswith("build/"):
                path.unlink()

    def configure(self) -> None:
        self.command(["cmake", "-S", str(self.source), "-B",
                      str(self.build_dir), "-G", "Ninja", *self.options],
                     "configuring the copy")

    def command(self, words: list[str], what: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise Broken(f"{what} failed:\n"
                         + (done.stdout + done.stderr)[-1500:])

    def patch(self, patch: Path, reverse: bool) -> None:
        self.command(["patch", "-p1", "--no-backup-if-mismatch", "-s",
                      "-F0", *(["-R"] if reverse else []),
                      "-d", str(self.source), "-i", str(patch)],
                     "taking the patch back" if reverse else "applying it")

    def passes(self, test: Test) -> bool:
        if test.kind == "ctest":
            self.command(["ninja", "-C", str(self.build_dir),
                          f"-j{self.jobs}", test.target],
                         f"building {test.target}")
            words = ["ctest", "--test-dir", str(self.build_dir), "-R",
                     f"^{re.escape(test.name)}$", "--no-tests=error",
                     "--timeout", str(int(LIMIT))]
        else:
            words = ["sh", "-c", test.name]
        try:
            done = subprocess.run(words, cwd=self.source, timeout=LIMIT + 60,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode == NOT_TESTED:
            raise Broken(f"{test} could not be run")
        return done.returncode == 0

    def need_passing(self, test: Test) -> None:
        if test not in self.passing and not self.passes(test):
            raise Broken(f"{test} fails without the bug")
        self.passing.add(test)


def kill(tree: Tree, patch: Path) -> bool:
    """True if the named test noticed the bug."""
    test = Test.of(patch)
    tree.need_passing(test)
    tree.patch(patch, reverse=False)
    try:
        return not tree.passes(test)
    finally:
        tree.patch(patch, reverse=True)


def run_room(room: str, only: str, jobs: int) -> tuple[int, int]:
    tree = Tree(room, jobs)
    tree.copy()
    tree.configure()
    killed = failed = 0
    for patch in sorted((HERE / room).glob("*.patch")):
        if not patch.name.startswith(only):
            continue
        why = "not noticed"
        try:
            ok = kill(tree, patch)
        except Broken as e:
            ok, why = False, str(e)
        killed += ok
        failed += not ok
        print(f"{'killed' if ok else 'FAILED'}  {room}/{patch.stem}"
              + ("" if ok else f": {why}"), flush=True)
    return killed, failed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--room", choices=sorted(ROOMS), action="append")
    parser.add_argument("--only", default="", help="first characters of names")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    rooms = args.room or [r for r in ROOMS if (HERE / r).is_dir()]
    killed = failed = 0
    for room in rooms:
        k, f = run_room(room, args.only, args.jobs)
        killed, failed = killed + k, failed + f
    print(f"{killed} passed, {failed} failed, 0 skipped")
    return bool(failed or not killed)


if __name__ == "__main__":
    sys.exit(main())
