# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How tests run JAX on the plugin: the environment, and what the plugin counts."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(
    os.environ.get("LOOM_LIBRARY")
    or ROOT / "build" / "host" / "umd" / "pjrt" / "libloom_pjrt.so"
)
COUNTERS = ("compiled", "cache_hits", "executables", "executed", "executions", "live_buffers")


def environment(platforms: str, **more: str) -> dict[str, str]:
    """For a process of its own. Where the plugin's disk cache lies is the caller's to say."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    return {
        **clean,
        "PYTHONPATH": str(ROOT / "umd" / "python"),
        "LOOM_LIBRARY": str(LIBRARY),
        "JAX_PLATFORMS": platforms,
        "LOOM_CACHE_DIR": "",
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
    library = ctypes.CDLL(str(LIBRARY))
    library.loom_pjrt_counter.restype = ctypes.c_uint64
    library.loom_pjrt_counter.argtypes = [ctypes.c_char_p]
    return {name: library.loom_pjrt_counter(name.encode()) for name in COUNTERS}
