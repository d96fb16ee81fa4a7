# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The good program that bad ones are made from, and programs that JAX can express and Loom cannot run."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from bad_cases import Case, Shop, heavier
from paths import use_checkout

use_checkout()

import loom

HERE = Path(__file__).name
X = jax.ShapeDtypeStruct((4, 16), jnp.float32)


class Good(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(3)(nn.relu(nn.Dense(8)(x)))


class Inner(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(16)(x)
        x = x.astype(jnp.float8_e4m3fn).astype(jnp.float32)  # f8
        return x + jax.lax.rng_uniform(0.0, 1.0, x.shape)  # uniform


class Odd(nn.Module):
    """Two operations that no engine runs, two modules deep."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return Inner()(nn.relu(x))


def line_of(marker: str) -> str:
    """A pattern for this file's line that ends with `# marker`."""
    lines = Path(__file__).read_text().splitlines()
    return re.escape(
        f"{HERE}:{next(i for i, t in enumerate(lines, 1) if t.endswith('# ' + marker))}"
    )


def build(shop: Shop) -> None:
    """Export and compile the good program; CalledProcessError if that fails."""
    shop.bundle = shop.place / "good"
    x = np.random.default_rng(7).standard_normal((4, 16), np.float32)
    loom.export(Good(), (X,), params=Good().init(jax.random.key(0), x), path=shop.bundle)
    shop.image = shop.place / "x.npy"
    np.save(shop.image, x)
    shop.program, shop.program_big = shop.place / "npu16.loom", shop.place / "npu64.loom"
    for target, program in (("npu16", shop.program), ("npu64", shop.program_big)):
        command = [shop.tools / "loomc", shop.bundle, "--target", target, "-o", program]
        subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)


def cases(shop: Shop) -> Iterator[Case]:
    yield from unsupported(shop)
    yield from dynamic(shop)
    yield from wrong_place(shop)
    yield from listings(shop)
    yield from targets(shop)
    yield from orders(shop)
    yield from heavy(shop)
    yield from unrelated(shop)


def listings(shop: Shop) -> Iterator[Case]:
    """What `loom as` and `loom report` are given wrongly."""
    tool = shop.tools / "loom"
    listed = subprocess.run(
        [tool, "dis", shop.program], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    number = re.compile(r"^ *\d+ ")

    def assemble(name: str, lines: list[str], *words: str) -> Case:
        out, text = shop.fresh("again.loom"), "\n".join(lines).encode() + b"\n"
        listing = shop.file("listing.txt", text)
        command = [tool, "as", listing, "--program", shop.program, "-o", out]
        return Case(f"loom as: {name}", command, words, (out,))

    yield assemble("a word that is no instruction", ["    0  JUMP"], "line 1", "JUMP")
    yield assemble("a field that there is not", ["HALT", "HALT speed=9"], "line 2", "speed")
    yield assemble("a line too few", listed[1:], "line 1", "unit", "leave the numbers out")
    shorter = [number.sub("", line) for line in listed[1:]]
    yield assemble("another length", shorter, "units of code", "keep the length")
    out = shop.fresh("again.loom")
    yield Case("loom as: no listing", [tool, "as", "/nowhere", "-o", out], ("/nowhere",), (out,))
    good = shop.program.read_bytes()
    cut = shop.file("cut.loom", good[: len(good) // 2])
    yield Case("loom report: half a program", [tool, "report", cut], ("cut.loom",))


# What a target file says, and what the refusal has to name.
BAD_TARGETS = (
    ("no rows", '{"rows": 0}', ("rows", "4 to 256")),
    ("a negative knob", '{"rows": -4}', ("rows", "number")),
    ("half a row", '{"rows": 16.5}', ("rows", "number")),
    ("a knob as text", '{"cols": "16"}', ("cols", "number")),
    ("too many rows", '{"rows": 257}', ("rows", "4 to 256")),
    ("more than a field holds", '{"rows": 70000}', ("rows", "number")),
    ("an unknown base", '{"base": "npu7"}', ("npu7", "npu8")),
    ("a base that is a number", '{"base": 7}', ("base", "text")),
    ("an unknown knob", '{"speed": 9}', ("speed", "knob")),
    ("a list", "[16, 16]", ("object",)),
    ("nothing", "", ("JSON",)),
    ("SRAM off its grain", '{"sram_bytes": 5000}', ("sram_bytes", "4096")),
    ("SRAM without end", '{"sram_bytes": 134217728}', ("sram_bytes", "64 MiB")),
    ("no accumulators", '{"acc_bytes": 0}', ("acc_bytes", "1 KiB")),
    ("no bandwidth", '{"bytes_per_cycle": 0}', ("bytes_per_cycle",)),
    ("a latency without end", '{"latency": 5000}', ("latency", "4096")),
    ("nothing in flight", '{"outstanding": 0}', ("outstanding",)),
    ("no lanes", '{"lanes": 0}', ("lanes", "4 to 1024")),
    ("products in no time", '{"f32_div": 0}', ("f32_div",)),
    ("a clock that stands", '{"clock_khz": 0}', ("clock_khz",)),
    ("features that there are not", '{"features": 18446744073709551615}', ("features",)),
    ("an array larger than SRAM and accumulators hold a tile of",
     '{"rows": 256, "cols": 256, "sram_bytes": 16384, "acc_bytes": 1024}',
     (r"Wide", "SRAM", "larger target")),
)


class Wide(nn.Module):
    """A row of the product alone is larger than the smallest SRAM."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(64)(x)


def targets(shop: Shop) -> Iterator[Case]:
    wide = exported(shop, Wide(), jax.ShapeDtypeStruct((16, 64), jnp.float32),
                    params=Wide().init(jax.random.key(0), jnp.ones((16, 64))))
    for name, text, words in BAD_TARGETS:
        file = shop.file("target.json", text.encode())
        yield shop.compile(f"target with {name}", wide, "target.json" if len(words) < 3 else "16384",
                           *words, target=file)


def orders(shop: Shop) -> Iterator[Case]:
    """Programs whose records are not ordered, wait for ever or never end."""
    tool, hazards = shop.tools / "loom", {"LOOM_HAZARDS": "1"}
    listed = subprocess.run(
        [tool, "dis", shop.program], check=True, capture_output=True, text=True
    ).stdout.splitlines()

    def assembled(lines: list[str]) -> Path:
        program = shop.fresh("edited.loom")
        listing = shop.file("listing.txt", "\n".join(lines).encode() + b"\n")
        command = [tool, "as", listing, "--program", shop.program, "-o", program]
        subprocess.run([str(c) for c in command], check=True, capture_output=True)
        return program

    def without(word: str, opcode: str) -> list[str]:
        """The listing with that wait or signal taken from the first such record."""
        at = next(i for i, line in enumerate(listed)
                  if re.search(rf"\b{opcode}\b", line) and re.search(word, line))
        return [*listed[:at], re.sub(word, "", listed[at], count=1), *listed[at + 1 :]]

    # The array no longer waits for its operands, and its signals stay balanced.
    signal = without(r" signal=2:\d+", "LD_COPY")
    yield shop.run("a lost signal", "DEADLOCK", r"waited for 0x[0-9a-f]*[4567cdef]\b", "instruction",
                   "Good/Dense_0", program=assembled(signal), remedy=False)
    at = next(i for i, line in enumerate(signal) if " MXU " in line and " wait=2:" in line)
    both = [*signal[:at], re.sub(r" wait=2:\d+", "", signal[at], count=1), *signal[at + 1 :]]
    yield shop.run("an unordered conflict", "HAZARD", r"the other is instruction \d+, Good/",
                   r"; instruction \d+, Good/", program=assembled(both), environment=hazards,
                   remedy=False)
    halt = next(i for i, line in enumerate(listed) if re.search(r"\bHALT\b", line))
    unit = listed[halt].split()[0]
    endless = [*listed[:halt], f"{unit} BR target={unit}", *listed[halt + 1 :]]
    yield shop.run("an endless loop", "BUDGET_INSNS", f"instruction {unit}",
                   program=assembled(endless), remedy=False)


def with_tables(shop: Shop, rows: list[int]) -> Path:
    """A bundle with embeddings of so many rows of 256 bytes, all zero, in a sparse file."""

    def lookup(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        return sum(table[x] for table in params.values())

    ids = jax.ShapeDtypeStruct((4,), jnp.int32)
    few = {f"table{i}": np.zeros((8, 64), np.float32) for i in range(len(rows))}
    bundle = exported(shop, lookup, ids, params=few)
    many = {name: jax.ShapeDtypeStruct((n, 64), jnp.float32) for name, n in zip(few, rows)}
    doc = json.loads((bundle / "model.json").read_text())
    entry = doc["entry_points"][0]
    lowered = jax.export.export(jax.jit(lookup), platforms=["loom"])(many, ids)
    (bundle / entry["artifact"]).write_bytes(lowered.mlir_module_serialized)
    head: dict[str, Any] = {}
    end = 0
    for row, n in zip(entry["inputs"], rows):
        row["shape"], begin, end = [n, 64], end, end + 256 * n
        head[row["path"]] = {"dtype": "F32", "shape": [n, 64], "data_offsets": [begin, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    (bundle / "model.json").write_text(json.dumps(doc))
    with (bundle / "params.safetensors").open("wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(f.tell() + end)
    return bundle


def heavy(shop: Shop) -> Iterator[Case]:
    """Constants above what a slot, a program and a process can hold."""
    rows = 4_200_000
    yield shop.compile("a constant above a slot's limit", with_tables(shop, [rows]),
                       "table0", f"{rows * 256} bytes", "1 GiB", "split it", lines=6)
    rows = 2_400_000
    yield shop.compile("constants above a program's limit", with_tables(shop, [rows, rows]),
                       f"{rows * 512} bytes", "1 GiB", "pass some as inputs", lines=6)
    size = 512 << 20
    program = shop.file("heavy.loom", *heavier(shop.program.read_bytes(), size))
    # The file and the buffer take twice that much.
    limit = ["sh", "-c", 'ulimit -v 900000; exec "$@"', "sh"]
    case = shop.run("constants above the process's limit", r"no memory for a buffer of 53\d{7} bytes",
                    "MiB are free", r"ulimit -v allows 878 MiB", "raise the limit", program=program)
    yield dataclasses.replace(case, command=[*limit, *case.command])


def unrelated(shop: Shop) -> Iterator[Case]:
    """Programs that share no layer."""
    bundle, other = exported(shop, lambda x: x * 2, X), shop.fresh("other.loom")
    command = [shop.tools / "loomc", bundle, "--target", "npu16", "-o", other]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    words = (shop.program.name, other.name, "no layer in common", "compile the same bundle")
    for name, more in (("", []), (", with inputs", ["--input", f"x={shop.image}"])):
        yield Case("loom compare: programs of two models" + name,
                   [shop.tools / "loom", "compare", shop.program, other, *more], words)


def exported(shop: Shop, target: Any, *args: Any, params: Any = None) -> Path:
    path = shop.fresh("model")
    loom.export(target, args, params=params, path=path)
    return path


def unsupported(shop: Shop) -> Iterator[Case]:
    odd = Odd()
    bundle = exported(shop, odd, X, params=odd.init(jax.random.key(0), jnp.ones((4, 16))))
    both = ("f8", "rng", line_of("f8"), line_of("uniform"), "Odd/Inner_0")
    yield shop.compile("two unsupported operations, both listed", bundle, *both, lines=24)

    def foreign(x: jax.Array) -> jax.Array:
        return jax.ffi.ffi_call("my_kernel", X)(x)  # ffi

    bundle = exported(shop, foreign, X)
    yield shop.compile("custom call", bundle, "my_kernel", line_of("ffi"), lines=24)
    with jax.enable_x64(True):

        def wide(x: jax.Array) -> jax.Array:
            return jnp.abs(x.astype(jnp.complex128) * 3).astype(jnp.float32)  # c128

        bundle = exported(shop, wide, X)
    yield shop.compile("complex128 inside", bundle, "complex<f64>", line_of("c128"), lines=24)


def dynamic(shop: Shop) -> Iterator[Case]:
    (n,) = jax.export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((n, 16), jnp.float32)
    lowered = jax.export.export(jax.jit(lambda x: x * 2), platforms=["loom"])(x)
    fixed = exported(shop, lambda x: x * 2, X)
    doc = json.loads((fixed / "model.json").read_text())
    entry = doc["entry_points"][0]
    artifact = fixed / entry["artifact"]
    artifact.write_bytes(lowered.mlir_module_serialized)
    yield shop.compile(
        "dynamic dimension in the artifact",
        fixed,
        "dynamic|static|fixed|shape|custom_call",
        lines=24,
    )
    entry["inputs"][0]["shape"] = entry["outputs"][0]["shape"] = [-1, 16]
    (fixed / "model.json").write_text(json.dumps(doc))
    yield shop.compile("dynamic dimension in model.json", fixed, r"\bx\b", "-1|shape|dim|dynamic")


def wrong_place(shop: Shop) -> Iterator[Case]:
    """Right files in the wrong place: devices, targets, entries, options."""
    need = ("npu64|64x64|target|array", "compile|loomc")
    yield shop.run(
        "program for a larger target", *need, program=shop.program_big, device="sim:npu8"
    )
    yield shop.run(
        "program for a larger target, default device",
        *need,
        program=shop.program_big,
        device="sim:npu16",
    )
    yield shop.run(
        "no such device node",
        "/dev/accel/accel99",
        "no such|not there|not found|does not exist",
        device="/dev/accel/accel99",
    )
    yield shop.run("another driver's device", "/dev/null", "loom|driver|accel", device="/dev/null")
    yield shop.run("unknown sim target", "npu7", "npu8", device="sim:npu7")
    yield shop.run(
        "unknown entry point",
        "nope",
        "__call__",
        arguments=["--entry", "nope", "--input", f"x={shop.image}"],
    )
    yield shop.run("unknown instruction set", "LOOM_ISA", "mmx", environment={"LOOM_ISA": "mmx"})
    yield shop.compile("unknown target", shop.bundle, "npu7", "npu8", target="npu7")
    yield shop.compile(
        "target file of noise", shop.bundle, "noise", target=shop.file("noise", bytes(range(256)))
    )
    away = shop.fresh("x").parent / "absent" / "out.loom"
    command = [shop.tools / "loomc", shop.bundle, "--target", "npu16", "-o"]
    yield Case(
        "loomc: output directory absent",
        [*command, away],
        ("absent", "no such|cannot|not"),
        (away,),
    )
    folder = shop.fresh("folder")
    folder.mkdir()
    yield Case("loomc: output is a directory", [*command, folder], ("folder", "director|cannot"))
    yield Case(
        "loomc: no arguments", [shop.tools / "loomc"], ("model|bundle|usage|required",), lines=40
    )
    yield Case(
        "loom: unknown command", [shop.tools / "loom", "rum"], ("rum|usage|command",), lines=40
    )
    absent = shop.fresh("x").parent / "absent" / "result.npy"
    good = ["--input", f"x={shop.image}"]
    yield Case(
        "loom run: output directory absent",
        [shop.tools / "loom", "run", shop.program, *good, "--output", f"result={absent}"],
        ("absent", "no directory"),
        (absent,),
    )
    yield shop.run(
        "unknown output",
        "nothing",
        "result",
        arguments=[*good, "--output", f"nothing={shop.fresh('a.npy')}"],
    )
