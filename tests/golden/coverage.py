# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What uapi/loom_isa.h offers against the vectors: every micro-operation (those on floats also at NaN and infinity),
every reducer as a whole and as a scan, every storage type both ways, every mode and type of the array, every DMA
operation and type of index list. Names what has none, and fails."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ISA = ROOT / "uapi" / "loom_isa.h"
VIEWLESS = {"LOAD", "STORE"}  # claimed by storage type


def rows(*files: str) -> list[list[str]]:
    """The first words of each vector."""
    found = []
    for name in files:
        for line in (HERE / name).read_text().splitlines():
            if line and not line.startswith("#"):
                found.append(line.split(" |")[0].split())
    return found


def micro_operations() -> list[tuple[str, str]]:
    """Name and class of each."""
    return re.findall(r"X\(0x[0-9a-f]+, (\w+), \d, ([A-Z]), ", ISA.read_text())


def enum(name: str, prefix: str) -> list[str]:
    body = re.search(rf"enum {name} {{(.*?)}};", ISA.read_text(), re.S)
    assert body, f"{ISA}: no enum {name}"
    return re.findall(rf"^\t{prefix}(\w+)", body.group(1), re.M)


def storage_types() -> list[str]:
    names = enum("loom_dtype", "LOOM_")
    return [n.lower() for n in names[: names.index("NUM_NPU_DTYPES")]]


def claims() -> set[str]:
    wanted = set()
    for name, cls in micro_operations():
        if cls == "R":
            wanted |= {f"{name} all", f"{name} scan"}
        elif name not in VIEWLESS:
            wanted.add(name)
        if cls in "FCT" and (cls == "T" or name.startswith("F")) and name != "LUT8" or name in ("F2I", "F2U"):
            wanted |= {f"{name} at NaN", f"{name} at infinity"}
        if cls == "R" and name.endswith("_F"):
            wanted |= {f"{name} at NaN", f"{name} at infinity"}
    wanted |= {f"{way} {t}" for way in VIEWLESS for t in storage_types()}
    types = [t.lower() for t in enum("loom_mxu_type", "LOOM_MXU_")]
    wanted |= {f"array {mode} {t}" for mode in ("gemm", "conv", "dw") for t in types}
    wanted |= {f"array {t} at {what}" for t in types if t != "int8" for what in ("NaN", "infinity")}
    for op in enum("loom_op", "LOOM_OP_"):
        if re.fullmatch(r"(LD|ST)_\w+", op):
            lists = ("i32", "u32") if re.search("GATHER|SCATTER", op) else ("-",)
            wanted |= {f"{op} {t}" for t in lists}
    return wanted


def special(words: list[str]) -> set[str]:
    kinds = set()
    for w in words:
        if w in ("7fc00000", "7fc0"):
            kinds.add("NaN")
        if w in ("7f800000", "ff800000", "7f80", "ff80"):
            kinds.add("infinity")
    return kinds


def vectors() -> set[str]:
    have = set()
    for name, source, target, *words in rows("vpu.txt", "more.txt", "special.txt"):
        if name == "LOAD":
            have.add(f"LOAD {source}")
        elif name == "STORE":
            have.add(f"STORE {target}")
        else:
            have.add(name)
            have |= {f"{name} at {kind}" for kind in special(words[:3])}
    for file in ("reduce.txt", "special_reduce.txt"):
        for line in (HERE / file).read_text().splitlines():
            head, *parts = line.split(" | ")
            if len(parts) == 2:
                have.add(head)
                have |= {f"{head.split()[0]} at {kind}" for kind in special(parts[0].split())}
    for file in ("mxu.txt", "special_mxu.txt"):
        for line in (HERE / file).read_text().splitlines():
            head, *parts = line.split(" | ")
            if len(parts) == 3:
                mode, dtype = head.split()[:2]
                have.add(f"array {mode} {dtype}")
                have |= {f"array {dtype} at {kind}" for kind in special(parts[0].split() + parts[1].split())}
    for row in rows("moves.txt"):
        have.add(f"{row[0]} {row[-2]}")
    return have


def main() -> int:
    wanted, have = claims(), vectors()
    missing, unknown = sorted(wanted - have), sorted(n for n in have - wanted if " at " not in n)
    for name in missing:
        print(f"no vector: {name}")
    for name in unknown:
        print(f"a vector of what does not exist: {name}")
    print(f"{len(wanted)} claims, {len(wanted) - len(missing)} with vectors")
    return 1 if missing or unknown or len(wanted) < 150 else 0


if __name__ == "__main__":
    sys.exit(main())
