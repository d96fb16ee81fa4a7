# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tools as the checks call them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

TIME_LIMIT = 1200  # seconds for one command; only a hang gets there


class Failed(Exception):
    """A check that did not pass; the text is its line, row what was measured all the same."""

    def __init__(self, text: str, row: dict[str, Any] | None = None):
        super().__init__(text)
        self.row = row or {}


def ended(command: list[Any], **environment: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(c) for c in command],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIME_LIMIT,
            env={**os.environ, **environment},
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise Failed(f"{Path(command[0]).name}: no end after {TIME_LIMIT} s") from e


def call(command: list[Any], **environment: str) -> str:
    """Standard output of a command; Failed with its first words where it does not exit 0."""
    done = ended(command, **environment)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip() or "said nothing").splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        raise Failed(f"{Path(command[0]).name}: {how}: {' / '.join(words[:3])}")
    return done.stdout
