# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of docs/jax.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import environment

DOCS = Path(__file__).resolve().parents[3] / "docs"


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.S)


def run(folder: Path, code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment("", {"JAX_PLATFORMS": "cpu", "LOOM_DEVICE": "sim", **env}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_programs_of_the_page(tmp_path, tool):
    net = next(b for b in blocks("flax.md") if b.startswith("# net.py"))
    looks, _, runs = blocks("jax.md")
    said = run(tmp_path, looks)
    assert "Net.apply on npu64" in said and "the NPU does not sort" in said
    run(tmp_path, net)
    tool("loomc", tmp_path / "net.bundle", "-o", tmp_path / "net.loom")
    assert "eval(x: float32[32, 64]) -> result: float32[32, 10]" in run(tmp_path, runs)


def test_profile_of_the_page(tmp_path):
    """It prints the lanes and names that the page shows; how many cycles is the compiler's matter."""
    _, traces, _ = blocks("jax.md")
    said = run(tmp_path, traces, JAX_PLATFORMS="loom,cpu", LOOM_CACHE_BYTES="0")
    page = (DOCS / "jax.md").read_text()
    shown = page[page.index(traces) + len(traces) :].split("```")[2].lstrip("\n")
    assert names(said) == names(shown), said


def names(text: str) -> list[list[str]]:
    return [re.sub(r"\b\d+\b", "", line).split() for line in text.splitlines()]
