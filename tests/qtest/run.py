#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the qtests of the device: one line a test, exit status 1 if any failed.

    python3 tests/qtest/run.py --qemu build/qemu/qemu-system-x86_64 [-k TEXT]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import machine  # noqa: E402

Test = tuple[str, Callable[[str], None]]


def tests() -> list[Test]:
    """Every function test_*(qemu) of every test_*.py, in the order written.
    A list CASES = [(name, function)] adds tests made from tables."""
    found: list[Test] = []
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        room = path.stem.removeprefix("test_")
        for name, value in vars(module).items():
            if name.startswith("test_") and callable(value):
                found.append((f"{room}: {name.removeprefix('test_')}", value))
        for name, value in getattr(module, "CASES", ()):
            found.append((f"{room}: {name}", value))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qemu", default=machine.default_qemu())
    parser.add_argument("-k", metavar="TEXT", default="",
                        help="only tests whose name contains TEXT")
    args = parser.parse_args()
    if not Path(args.qemu).is_file():
        print(f"run.py: {args.qemu} does not exist; build it with "
              "./dev build qemu", file=sys.stderr)
        return 2
    passed = failed = 0
    for name, function in tests():
        if args.k not in name:
            continue
        start = time.monotonic()
        try:
            function(args.qemu)
        except Exception as e:
            failed += 1
            where = traceback.extract_tb(e.__traceback__)[-1]
            print(f"FAIL {name}: {type(e).__name__}: {e} "
                  f"({Path(where.filename).name}:{where.lineno}: {where.line})",
                  flush=True)
        else:
            passed += 1
            print(f"ok   {name} ({(time.monotonic() - start) * 1e3:.0f} ms)",
                  flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    if not passed and not failed:
        print(f"run.py: no test has '{args.k}' in its name", file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
