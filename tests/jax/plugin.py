# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How tests run JAX on the plugin: the environment, and what the plugin counts."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(
    os.environ.get("LOOM_LIBRARY")
    or ROOT / "build" / "host" / "umd" / "pjrt" / "libloom_pjrt.so"
)
def environment(platforms: str, **more: str) -> dict[str, str]:
    """For a process of its own, with no cache on disk unless the caller asks for one."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    return {
        **clean,
        "PYTHONPATH": os.environ.get("PYTHONPATH") or str(ROOT / "umd" / "python"),
        "LOOM_LIBRARY": str(LIBRARY),
        "JAX_PLATFORMS": platforms,
        "LOOM_CACHE_BYTES": "0",
        **more,
    }


def run(
    code: str, platforms: str = "loom,cpu", timeout: float = 300, **more: str
) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own; its code and what it said."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(platforms, **more),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def counters() -> dict[str, int]:
    """What the plugin in this process has counted so far."""
    import loom

    return dataclasses.asdict(loom.counters())
