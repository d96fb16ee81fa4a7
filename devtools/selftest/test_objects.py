# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What must not be in an object of the driver is seen."""

import subprocess
from pathlib import Path

import pytest

from devtools import objects
from devtools.util import DevError


def compiled(folder: Path, name: str, source: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.o"
    subprocess.run(["gcc", "-O1", "-c", "-xc", "-", "-o", path],
                   input=source, text=True, check=True)
    return path


def test_units_are_read() -> None:
    text = "a := b\nloom-cpu-fp := core/x core/y \\\n\t       core/z\nc := d\n"
    assert objects.float_units(text) == {"x", "y", "z"}
    with pytest.raises(DevError):
        objects.float_units("loom-cpu := core/x\n")


def test_imports(tmp_path: Path) -> None:
    source = ("void *memcpy(void *, const void *, unsigned long);"
              "int printf(const char *, ...); int loom_x(int);"
              "int f(char *a, char *b, long n)"
              "{ memcpy(a, b, n); return printf(a) + loom_x(1); }")
    path = compiled(tmp_path / "core", "cpu_x", source)
    assert objects.judge(path, False) == ["imports printf"]
    path = compiled(tmp_path, "loom_x", source)
    assert objects.judge(path, False) == []


def test_floats(tmp_path: Path) -> None:
    path = compiled(tmp_path / "core", "cpu_f",
                    "float f(float a) { return a + 1; }")
    assert objects.judge(path, True) == []
    assert "uses floating-point registers" in objects.judge(path, False)[0]
    path = compiled(tmp_path / "core", "cpu_i", "int f(int a) { return a + 1; }")
    assert "no floating-point registers" in objects.judge(path, True)[0]


def test_sections(tmp_path: Path) -> None:
    source = "void kernel_fpu_end(void); void f(void) { kernel_fpu_end(); }"
    assert objects.judge(compiled(tmp_path, "loom_cpu", source), False) == []
    assert objects.judge(compiled(tmp_path, "loom_drv", source), False)
