#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares abi.h, abi_objects.h, abi_profiler.h and slots.h with a pjrt_c_api.h, field by field: abi_check.py HEADER
[--minor N]

The header is in the wheel of tensorflow-cpu (tensorflow/include/xla/pjrt/c), and the profiler extension's beside it;
2.21.0 has minor 90, 2.22.0rc0 minor 115. Fields that the header has after ours, and slots after ours, are what came
later; anything else that differs is an error. `./dev test --deep abi` fetches the headers and runs this."""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parent
LEAST_FACTS = 500
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


def compile_checks(text: str, includes: Path) -> tuple[int, str]:
    """The compiler's status, and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "check.cc"
        source.write_text(text)
        done = subprocess.run(["c++", "-std=c++20", "-fsyntax-only", "-w", f"-I{PLUGIN}", f"-I{includes}",
                               str(source)],
                              capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def has_minor(header: Path, minor: int) -> bool:
    found = re.search(r"#define PJRT_API_MINOR (\d+)", header.read_text())
    return found is not None and int(found[1]) == minor


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("header", type=Path)
    parser.add_argument("--minor", type=int, help="that the header has to have")
    options = parser.parse_args()
    header = options.header.resolve()
    wrong = []
    if options.minor is not None and not has_minor(header, options.minor):
        wrong.append(f"{header} is not of minor {options.minor}")
    text = checks(header)
    facts = text.count("static_assert")
    if facts < LEAST_FACTS:
        wrong.append(f"only {facts} facts to compare: this is no header of the PJRT C API, or all names changed")
    status, said = compile_checks(text, header.parents[3])
    differ = re.findall(r"static assertion failed: (\S+)", said)
    if status and not differ:
        wrong.append(f"the comparison does not compile:\n{said}")
    for line in [*wrong, *(f"{name} differs" for name in differ)]:
        print(f"FAIL {line}")
    print(f"{facts - len(differ)} passed, {len(differ) + len(wrong)} failed")
    return 1 if wrong or differ else 0


if __name__ == "__main__":
    sys.exit(main())
