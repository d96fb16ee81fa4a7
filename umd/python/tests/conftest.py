# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes `import loom` find this checkout and what it built, so that the tests need no installation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("LOOM_BUILD", PACKAGE.parents[1] / "build" / "host"))

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("LOOM_LIBRARY", str(BUILD / "umd" / "pjrt" / "libloom_pjrt.so"))
sys.path.insert(0, str(PACKAGE))

Tool = Callable[..., str]


@pytest.fixture(scope="session")
def tool() -> Tool:
    """tool("loomc", "m.bundle", "-o", "m.loom"): what a built program prints; it has to succeed."""

    def run(name: str, *args: object) -> str:
        folder = {"loomc": "compiler/bin", "loom": "umd/tools"}[name]
        done = subprocess.run(
            [BUILD / folder / name, *map(str, args)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """python(code, NAME=value, ...): runs code in a process of its own; None unsets a variable."""

    def run(code: str, *args: str, path: str = "", **env: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            env=environment(path, env),
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def environment(path: str, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Ours without what steers Loom or JAX, but for the library; path goes first in sys.path."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("LOOM_", "JAX_", "PJRT_")) or k == "LOOM_LIBRARY"
    }
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (path, str(PACKAGE))))
    kept.update({k: v for k, v in changes.items() if v is not None})
    return {k: v for k, v in kept.items() if changes.get(k, "") is not None}
