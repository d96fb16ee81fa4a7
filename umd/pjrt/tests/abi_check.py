#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares abi.h, abi_objects.h, abi_profiler.h and slots.h with a pjrt_c_api.h, field by field: abi_check.py HEADER

The header is in the wheel of tensorflow-cpu (tensorflow/include/xla/pjrt/c), and the profiler extension's beside it;
2.21.0 has minor 90, 2.22.0rc0 minor 115. Fields that the header has after ours, and slots after ours, are what came
later; anything else that differs ends the compilation."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parent
# Names of ours that are not PJRT_ + name.
RENAMED = {
    "extension": "PJRT_Extension_Base",
    "named_value": "PJRT_NamedValue",
    "program_text": "PJRT_Program",
    "memory_layout": "PJRT_Buffer_MemoryLayout",
    "tiled_layout": "PJRT_Buffer_MemoryLayout_Tiled",
    "strides_layout": "PJRT_Buffer_MemoryLayout_Strides",
    "execute_options": "PJRT_ExecuteOptions",
    "memory_table": "PJRT_Memory_FunctionTable",
    "error_table": "PJRT_Error_FunctionTable",
    "logical_ids": "PJRT_LogicalDeviceIds",
    "profiler_table": "PLUGIN_Profiler_Api",
    "profiler_extension": "PJRT_Profiler_Extension",
}


def other_name(name: str) -> str:
    return RENAMED.get(name) or ("PLUGIN_" if name.startswith("Profiler_") else "PJRT_") + name


def headers(header: Path) -> list[Path]:
    """The header, and those of the profiler extension where it has them."""
    more = (header.with_name("pjrt_c_api_profiler_extension.h"),
            header.parents[2] / "backends" / "profiler" / "plugin" / "profiler_c_api.h")
    return [header, *(h for h in more if h.is_file())]


def structures() -> dict[str, list[str]]:
    """Fields of each of our structures, in order."""
    found: dict[str, list[str]] = {}
    for name in ("abi.h", "abi_objects.h", "abi_profiler.h"):
        text = re.sub(r"//[^\n]*", "", (PLUGIN / name).read_text())
        for match in re.finditer(r"struct (\w+) \{\n(.*?)\n\};", text, re.S):
            body = match[2].replace("LOOM_PJRT_HEAD;", "size_t struct_size; void *extension_start;")
            fields = re.findall(r"\(\*(\w+)\)\([^;]*\);|[\s*](\w+)(?:;|,)", body)
            found[match[1]] = [a or b for a, b in fields]
    return found


def slots() -> list[str]:
    return re.findall(r"X\((\w+)\)", (PLUGIN / "slots.h").read_text())


def checks(header: Path) -> str:
    lines = ["#include <cstddef>", *(f'#include "{h}"' for h in headers(header)), '#include "abi_objects.h"',
             '#include "abi_profiler.h"', "namespace ours = loom::pjrt::abi;"]
    theirs = re.sub(r"//[^\n]*", "", "\n".join(h.read_text() for h in headers(header)))
    for name, fields in structures().items():
        other = other_name(name)
        if f"struct {other} {{" not in theirs:
            print(f"{other}: not in this header")
            continue
        body = theirs[theirs.index(f"struct {other} {{"):]
        for field in fields:
            if not re.search(rf"\b{field}\b", body[:body.index("\n}")]):
                print(f"{other}.{field}: not in this header")
                continue
            what = f'"{other}.{field}"'
            lines.append(f"static_assert(offsetof(ours::{name}, {field}) == offsetof({other}, {field}), {what});")
            lines.append(f"static_assert(sizeof(ours::{name}::{field}) == sizeof({other}::{field}), {what});")
    for i, slot in enumerate(slots()):
        if f"PJRT_{slot})" in re.sub(r"\s", "", theirs):
            lines.append(f'static_assert(offsetof(PJRT_Api, PJRT_{slot}) == 40 + 8 * {i}, "{slot}");')
        else:
            print(f"PJRT_{slot}: not in this header")
    return "\n".join(lines) + "\n"


def main() -> int:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        print(__doc__)
        return 2
    header = Path(sys.argv[1]).resolve()
    text = checks(header)
    asserts = text.count("static_assert")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "check.cc"
        source.write_text(text)
        done = subprocess.run(["c++", "-std=c++20", "-fsyntax-only", "-w", f"-I{PLUGIN}",
                               f"-I{header.parents[3]}", str(source)], check=False)
    print(f"{asserts} facts compared: " + ("all hold" if done.returncode == 0 else "some do not hold"))
    return 1 if done.returncode or asserts < 500 else 0


if __name__ == "__main__":
    sys.exit(main())
