# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m loom COMMAND`."""

from __future__ import annotations

import argparse
import sys


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m loom")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="what is found, what is missing, what to do")
    doctor.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(argv)
    from . import doctor as command

    return command.main(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
