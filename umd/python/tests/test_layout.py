# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The structs in ctypes are those of the headers, as a C compiler lays them out."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from loom import activity, capi, compiler

ROOT = Path(__file__).resolve().parents[3]
INCLUDES = ("umd/include", "uapi", "accel/core")
HEADERS = ("loom/loom.h", "loom/compile.h", "loom/pjrt.h", "prog_check.h")
STRUCTS = {
    name: kind
    for module in (activity, capi, compiler)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and name.startswith("loom_")
}


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """{struct: {"": size, field: offset}} as the C compiler sees it."""
    folder = tmp_path_factory.mktemp("layout")
    lines = [f'#include "{h}"' for h in HEADERS] + ["#include <stdio.h>", "int main(void) {"]
    for name, kind in STRUCTS.items():
        lines.append(f'printf("{name} . %zu\\n", sizeof(struct {name}));')
        for field in kind._fields_:
            lines.append(
                f'printf("{name} {field[0]} %zu\\n", offsetof(struct {name}, {field[0]}));'
            )
    source = folder / "layout.c"
    source.write_text("\n".join([*lines, "return 0; }"]))
    includes = [f"-I{ROOT / i}" for i in INCLUDES]
    subprocess.run(["gcc", *includes, source, "-o", folder / "layout"], check=True)
    out = subprocess.run([folder / "layout"], check=True, capture_output=True, text=True).stdout
    found: dict[str, dict[str, int]] = {}
    for line in out.splitlines():
        name, field, value = line.split()
        found.setdefault(name, {})[field] = int(value)
    return found


@pytest.mark.parametrize("name", STRUCTS)
def test_struct(layout, name):
    kind = STRUCTS[name]
    mine = {field[0]: getattr(kind, field[0]).offset for field in kind._fields_}
    assert {".": ctypes.sizeof(kind), **mine} == layout[name]
