# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names and numbers of uapi/, read from the headers themselves, and the
layouts that the tests build."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

UAPI = Path(__file__).resolve().parents[2] / "uapi"


@dataclass(frozen=True)
class Register:
    offset: int
    name: str
    bits: int
    access: str


def _text(name: str) -> str:
    return (UAPI / name).read_text().replace("\\\n", " ")


def _registers() -> dict[str, Register]:
    body = re.search(r"#define LOOM_REGS\(X\)(.*)", _text("loom_regs.h"))
    assert body
    found = re.findall(r"X\((0x[0-9a-f]+), (\w+), (\d+), (\w+),", body[1])
    return {n: Register(int(o, 16), n, int(b), a) for o, n, b, a in found}


def _constants() -> dict[str, int]:
    values: dict[str, int] = {}
    for header in ("loom_isa.h", "loom_regs.h", "loom_target.h"):
        text = re.sub(r"/\*.*?\*/", "", _text(header), flags=re.S)
        for name, value in re.findall(
                r"(?:#define |^\s*)(LOOM_\w+)(?: =)? (0x[0-9a-f]+|\d+)u?\b",
                text, re.M):
            values[name] = int(value, 0)
    return values


def _x_names(header: str, macro: str) -> dict[str, int]:
    body = re.search(rf"#define {macro}\(X\)(.*)", _text(header))
    assert body
    return {n: int(v, 0) for v, n in
            re.findall(r"X\((0x[0-9a-f]+|\d+), (\w+),", body[1])}


@dataclass(frozen=True)
class Target:
    name: str
    rows: int
    cols: int
    sram_kib: int
    acc_kib: int
    bandwidth: int
    latency: int
    outstanding: int
    lanes: int


def _targets() -> list[Target]:
    body = re.search(r"#define LOOM_TARGETS\(X\)(.*)", _text("loom_target.h"))
    assert body
    rows = re.findall(r"X\((\w+), ([\d, ]+)\)", body[1])
    return [Target(n, *map(int, v.split(","))) for n, v in rows]


REG = _registers()
C = _constants()
FAULT = _x_names("loom_regs.h", "LOOM_FAULTS")
FAULT_NAME = {v: n for n, v in FAULT.items()}
TARGETS = _targets()

JOB = struct.Struct("<QIIIIQQI5I")
REGION = struct.Struct("<QQQII")
COMPLETION = struct.Struct("<IHHIIqQQQIIQ")
assert JOB.size == 64 and REGION.size == 32 and COMPLETION.size == 64

SRAM = C["LOOM_SLOT_SRAM"] if "LOOM_SLOT_SRAM" in C else 0xffff
READ, WRITE = C["LOOM_RIGHT_READ"], C["LOOM_RIGHT_WRITE"]


@dataclass(frozen=True)
class Completion:
    seqno: int
    fault: int
    slot: int
    unit: int
    loc: int
    offset: int
    limit: int
    cycles: int
    insns: int
    aux: int
    phase: int
    mxu_busy: int

    @property
    def fault_name(self) -> str:
        return FAULT_NAME.get(self.fault, str(self.fault))


# --- instructions ---------------------------------------------------------------

def addr(slot: int, offset: int) -> int:
    return slot << 48 | offset & (1 << 48) - 1


def header(op: int, units: int, regsel: int = 0, loc: int = 0,
           wait: tuple[int, int] = (0, 0),
           signal: tuple[int, int] = (0, 0)) -> bytes:
    return struct.pack("<BBHI8B", op, units, regsel, loc, *wait, 0, 0,
                       *signal, 0, 0)


def seq(name: str, rd: int = 0, ra: int = 0, rb: int = 0, cond: int = 0,
        target: int = 0, imm: int = 0, **kw: object) -> bytes:
    return header(C[f"LOOM_OP_{name}"], 1, **kw) + struct.pack(  # type: ignore
        "<4BIq", rd, ra, rb, cond, target, imm)


def dma(name: str, src: int = 0, dst: int = 0, inner: int = 64,
        n: tuple[int, ...] = (1, 1, 1, 1),
        sstride: tuple[int, ...] = (0, 0, 0, 0),
        dstride: tuple[int, ...] = (0, 0, 0, 0), elem: int = 0, codec: int = 0,
        idx_type: int = 0, idx: int = 0, limit: int = 0,
        **kw: object) -> bytes:
    return header(C[f"LOOM_OP_{name}"], 3, **kw) + struct.pack(  # type: ignore
        "<QQ4BI4I4i4iII", src, dst, elem, codec, 0, idx_type, inner, *n,
        *sstride, *dstride, idx, limit)


def mxu(m: int = 4, n: int = 4, k: int = 4, acc_base: int = 0,
        out: int | None = None, **kw: object) -> bytes:
    """f32 A[m][k] at 0 times B[k][n] behind it, left in the accumulators or
    drained to SRAM at `out`."""
    flags = 0 if out is None else C["LOOM_MXU_DRAIN"]
    o_sx, o_sn = (0, 0) if out is None else (4 * n, 4)
    return header(C["LOOM_OP_MXU"], 4, **kw) + struct.pack(  # type: ignore
        "<4BIIHHiiiHHHHHH4BhhIii2H2i2i2iHHIiiiB3x",
        0, C["LOOM_MXU_F32"], 0, flags, 0, 0, 1, m, 4 * k * m, 4 * k, 4, 1, 1,
        k, 1, m, n, 1, 1, 1, 1, 0, 0, 4 * k * m, 4 * n, 4, 1, 1, 0, 0, 0, 0, 0,
        0, acc_base, n, out or 0, 0, o_sx, o_sn, 0)


assert len(mxu()) == 128 and len(dma("LD_COPY")) == 96
HALT = seq("HALT")
