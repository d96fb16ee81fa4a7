# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds loom.ko from the tree that this file is in, and tests it in a guest.

    python3 tests/mutants/guest.py 'SubmitTest.*'    tests of loom_uapi_test
    python3 tests/mutants/guest.py faults lost-irq   a kind of tests/guest/faults.py

Exits 75, not 1, if the driver does not build or a program is missing: then
nothing was tested. QEMU and the guest's programs are the checkout's own, which
the copy lies in: they are no part of the driver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from devtools import kernel, util  # noqa: E402
from devtools.guest import Config, Guest, GuestError  # noqa: E402

NOT_TESTED = 75
FAULTS = "3"  # of a kind: enough to see that the driver does not recover


def built() -> Path:
    """The build/ that holds this tree, or the tree's own."""
    for parent in ROOT.parents:
        if parent.name == "build":
            return parent
    return util.BUILD


def prepare() -> Path:
    """Returns the folder of the guest's programs."""
    programs = built() / "host" / "tests" / "guest" / "uapi"
    emulator = built() / "qemu"
    for path, remedy in ((programs / "loom_uapi_test", "host"),
                         (emulator / "qemu-system-x86_64", "qemu")):
        if not path.is_file():
            raise util.DevError(f"{path} is missing; ./dev build {remedy}")
    link = util.BUILD / "qemu"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(emulator)
    kernel.build_module(kernel.debian(), args=())
    return programs


def run_filter(programs: Path, tests: str) -> int:
    config = Config(programs={
        "/bin/loom_uapi_test": programs / "loom_uapi_test"})
    try:
        with Guest(config) as guest:
            guest.load_driver()
            done = guest.run(
                f"loom_uapi_test --gtest_filter='{tests}'", 120.0)
            guest.check()
    except GuestError as e:
        print(e)
        return 1
    print(done.stdout)
    # No test that ran is no test that passed.
    return done.rc or int("[  PASSED  ] 0 tests" in done.stdout)


def main(words: list[str]) -> int:
    try:
        programs = prepare()
    except util.DevError as e:
        print(e)
        return NOT_TESTED
    if words[0] != "faults":
        return run_filter(programs, words[0])
    return subprocess.run(
        [sys.executable, ROOT / "tests" / "guest" / "faults.py", "--programs",
         programs, "--count", FAULTS, words[1]]).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "faults" and len(sys.argv) < 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
