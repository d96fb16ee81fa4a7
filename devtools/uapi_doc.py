# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reference tables out of the headers in uapi/, and the layout of every struct as compilers see it.

A document holds `<!-- uapi: struct loom_hdr -->` ... `<!-- end -->`; what stands between is ours. Kinds:
`struct NAME`, `enum NAME`, `xmacro NAME`, `defines PREFIX`.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
import tempfile
from pathlib import Path

from . import util

UAPI = util.ROOT / "uapi"
HEADERS = ("loom_isa.h", "loom_target.h", "loom_regs.h", "loom_program.h", "loom_cpu_ops.h",
           "drm/loom_accel.h")
LAYOUT = util.ROOT / "docs" / "uapi-layout.txt"
MARK = re.compile(r"(<!-- uapi: (\w+) (\w+) -->\n)(.*?)(<!-- end -->)", re.S)
FIELD = re.compile(r"^\t(?:struct )?(\w+) (\w+)((?:\[\w+\])*)(?:, [^;]*)?;(?:\s*/\* (.*?) \*/)?$")
SIZES = {"__u8": 1, "__s8": 1, "__u16": 2, "__s16": 2, "__u32": 4, "__s32": 4, "__u64": 8, "__s64": 8}


@dataclasses.dataclass(frozen=True)
class Field:
    kind: str
    name: str
    dims: str
    text: str


class DocError(util.DevError):
    """A document or the layout is not in step with uapi/."""


def sources() -> dict[str, str]:
    return {h: (UAPI / h).read_text() for h in HEADERS}


def structs(text: str) -> dict[str, list[Field]]:
    """Fields of every top-level struct, nested anonymous structs left out of the tables."""
    found: dict[str, list[Field]] = {}
    for m in re.finditer(r"^struct (\w+) \{\n(.*?)^\};", text, re.S | re.M):
        fields: list[Field] = []
        for line in m[2].split("\n"):
            f = FIELD.match(line)
            if not f:
                continue
            names = [f[2]] + re.findall(r", (\w+)", line.split(";")[0].split(f[2], 1)[1])
            for name in names:
                fields.append(Field(f[1], name, f[3], f[4] or ""))
        found[m[1]] = fields
    return found


def layout_program() -> str:
    lines = ['#include <stddef.h>', '#include <stdio.h>', '#include <linux/types.h>']
    lines += [f'#include "{h}"' for h in HEADERS]
    lines += ["int main(void)", "{"]
    for h, text in sources().items():
        for name, fields in structs(text).items():
            lines.append(f'\tprintf("%-28s %6zu\\n", "{name}", sizeof(struct {name}));')
            for f in fields:
                lines.append(f'\tprintf("  %-26s %6zu %6zu\\n", "{f.name}", offsetof(struct {name}, {f.name}), '
                             f"sizeof(((struct {name} *)0)->{f.name}));")
    return "\n".join([*lines, "\treturn 0;", "}", ""])


@functools.cache
def layout_cached() -> str:
    return layout(*COMPILERS[0])


def layout(compiler: list[str], suffix: str) -> str:
    """The layout as one compiler sees it: struct and size, then field, offset, size."""
    with tempfile.TemporaryDirectory() as tmp:
        source, binary = Path(tmp) / f"layout{suffix}", Path(tmp) / "layout"
        source.write_text(layout_program())
        command = [*compiler, "-Wall", "-Werror", f"-I{UAPI}", "-I/usr/include/libdrm",
                   str(source), "-o", str(binary)]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            raise DocError(f"{' '.join(compiler)} refuses uapi/:\n{made.stderr}")
        return subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout


COMPILERS = ((["gcc", "-std=c11"], ".c"), (["g++", "-std=c++20"], ".cc"),
             (["gcc", "-std=c11", "-m32"], ".c"), (["clang", "-std=c11"], ".c"))


def check_layout() -> int:
    """Every compiler sees the committed layout. Returns how many were asked."""
    want = LAYOUT.read_text()
    for compiler, suffix in COMPILERS:
        if layout(compiler, suffix) != want:
            raise DocError(f"{' '.join(compiler)}: layout of uapi/ differs from {LAYOUT.name}; an interface "
                           "changed: raise its version, then run ./dev docs")
    return len(COMPILERS)


def offsets() -> dict[tuple[str, str], tuple[int, int]]:
    found: dict[tuple[str, str], tuple[int, int]] = {}
    struct = ""
    for line in layout_cached().splitlines():
        words = line.split()
        if line.startswith("  "):
            found[struct, words[0]] = (int(words[1]), int(words[2]))
        else:
            struct = words[0]
            found[struct, ""] = (0, int(words[1]))
    return found


def row(*cells: str) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n"


def table(*head: str) -> str:
    return row(*head) + "|" + "---|" * len(head) + "\n"


def struct_table(name: str) -> str:
    at = offsets()
    for text in sources().values():
        fields = structs(text).get(name)
        if fields is None:
            continue
        out = f"`struct {name}`, {at[name, ''][1]} bytes\n\n" + table("byte", "bytes", "field", "type", "meaning")
        for f in fields:
            offset, size = at[name, f.name]
            out += row(str(offset), str(size), f"`{f.name}{f.dims}`", f.kind.strip("_"), f.text)
        return out
    raise DocError(f"uapi/ has no struct {name}")


def enum_table(name: str) -> str:
    for text in sources().values():
        m = re.search(rf"^enum {name} \{{\n(.*?)^\}};", text, re.S | re.M)
        if not m:
            continue
        out, value = table("value", "name", "meaning"), -1
        for line in m[1].split("\n"):
            e = re.match(r"^\t(\w+)(?: = (\w+))?,(?:\s*/\* (.*?) \*/)?", line)
            if not e:
                continue
            value = int(e[2], 0) if e[2] else value + 1
            if not re.search(r"_NUM_", e[1]):
                shown = e[2] if e[2] and e[2].startswith("0x") else str(value)
                out += row(shown, f"`{e[1]}`", e[3] or "")
        return out
    raise DocError(f"uapi/ has no enum {name}")


XMACRO_HEADS = {
    "LOOM_REGS": ("offset", "name", "bits", "access", "meaning"),
    "LOOM_FAULTS": ("code", "name", "meaning"),
    "LOOM_UOPS": ("op", "name", "operands", "class", "meaning"),
    "LOOM_TARGETS": ("name", "rows", "columns", "SRAM KiB", "accumulators KiB", "bytes a cycle",
                     "latency", "outstanding", "lanes"),
    "LOOM_CPU_STRUCTURES": ("number", "name", "meaning"),
    "LOOM_CPU_SCALARS": ("op", "name", "operands", "class", "weight", "meaning"),
    "LOOM_CPU_REDUCERS": ("number", "name", "scalar operation", "identity", "meaning"),
}


def xmacro_table(name: str) -> str:
    for text in sources().values():
        m = re.search(rf"#define {name}\(X\).*?\n((?:\tX\(.*\n)+)", text)
        if not m:
            continue
        out = table(*XMACRO_HEADS[name])
        for line in m[1].split("\n"):
            x = re.match(r"\tX\((.*)\)\s*\\?$", line.strip("\n"))
            if not x:
                continue
            cells = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,\s][^,]*)', x[1])
            out += row(*[(a or b).strip() for a, b in cells])
        return out
    raise DocError(f"uapi/ has no X-macro {name}")


def defines_table(prefix: str) -> str:
    out = table("name", "value", "meaning")
    for text in sources().values():
        for m in re.finditer(rf"^#define ({prefix}\w+) (.*?)(?:[ \t]*/\* (.*?) \*/)?$", text, re.M):
            out += row(f"`{m[1]}`", m[2].strip(), m[3] or "")
    return out


KINDS = {"struct": struct_table, "enum": enum_table, "xmacro": xmacro_table, "defines": defines_table}


def regenerated(document: str) -> str:
    def replace(m: re.Match[str]) -> str:
        return m[1] + "\n" + KINDS[m[2]](m[3]) + "\n" + m[5]
    return MARK.sub(replace, document)


def documents() -> list[Path]:
    return [p for p in sorted((util.ROOT / "docs").rglob("*.md")) if MARK.search(p.read_text())]


def write() -> list[Path]:
    """Brings all tables and the layout up to date; returns the files that changed."""
    changed = []
    for path, new in [(p, regenerated(p.read_text())) for p in documents()] + [
            (LAYOUT, layout(*COMPILERS[0]))]:
        if not path.exists() or path.read_text() != new:
            path.write_text(new)
            changed.append(path)
    return changed


def check_documents() -> int:
    """Every table is in step with the headers. Returns how many documents have some."""
    found = documents()
    for path in found:
        if regenerated(path.read_text()) != path.read_text():
            raise DocError(f"{path.relative_to(util.ROOT)}: a table is not in step with uapi/; run ./dev docs")
    if not found:
        raise DocError("no document under docs/ has a table from uapi/")
    return len(found)
