# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs are run where they are said to run; one that Loom did not execute is noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import programs
import pytest
from plugin import environment
from run_program import wrong_counts

GOOD = {"compile_requests": 3, "executables": 3, "executed": 3, "failures": 0}


@pytest.mark.parametrize(
    "change, compiled, word",
    [
        ({}, 3, ""),
        ({}, 0, "no program"),
        ({}, 4, "4 programs compiled, 3 of them for Loom"),
        ({"executed": 2}, 3, "3 programs loaded, 2 executed"),
        ({"executables": 0, "executed": 0}, 3, "0 programs loaded"),
        ({"failures": 1}, 3, "1 executions failed"),
    ],
)
def test_counts(change: dict[str, int], compiled: int, word: str) -> None:
    text = wrong_counts({**GOOD, **change}, compiled)
    assert word in text and bool(text) == bool(word)


PROGRAM = """
import jax, jax.numpy as jnp
with jax.default_device(jax.devices({where!r})[0]):
    print(jax.jit(lambda x: x * 3)(jnp.float32(2)))
"""


def told(tmp_path: Path, code: str, env: dict[str, str]) -> dict:
    (tmp_path / "p.py").write_text(code)
    file = tmp_path / "told.json"
    words = [sys.executable, programs.RUNNER, "--told", file, tmp_path / "p.py"]
    subprocess.run(words, env=env, check=True)
    return json.loads(file.read_text())


def test_a_program_on_loom(tmp_path: Path) -> None:
    seen = told(tmp_path, PROGRAM.format(where="loom"), environment("loom,cpu"))
    assert seen["wrong"] == "" and seen["compiled"] == seen["counters"]["executed"] > 0


def test_a_program_compiled_for_the_cpu_is_noticed(tmp_path: Path) -> None:
    code = PROGRAM.format(where="loom") + PROGRAM.format(where="cpu")
    seen = told(tmp_path, code, environment("loom,cpu"))
    assert "of them for Loom" in seen["wrong"]
    alone = told(tmp_path, PROGRAM.format(where="cpu"), environment("cpu"))
    assert alone["wrong"] == "it ran on cpu"


def test_a_program_that_never_runs_is_noticed(tmp_path: Path) -> None:
    code = PROGRAM.format(where="loom") + "kept = jax.jit(lambda x: x + 7).lower(1.0).compile()\n"
    assert "executed" in told(tmp_path, code, environment("loom,cpu"))["wrong"]


def test_an_installed_package_is_told_from_a_checkout() -> None:
    python = Path("/v/bin/python3")
    assert programs.comes_with(python, Path("/v/lib/python3.11/site-packages/loom"))
    assert not programs.comes_with(python, Path("/checkout/umd/python/loom"))
    assert programs.bare("/h") == {
        "PATH": os.environ["PATH"], "HOME": "/h", "JAX_PLATFORMS": "loom,cpu"
    }
