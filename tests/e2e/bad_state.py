# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs of a program with state that are asked for wrongly: --entry, --steps, --restore, --save."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from bad_cases import HUGE, Case, Shop, cuts
from safetensors.numpy import load, save

import loom

X = jax.ShapeDtypeStruct((4, 3), jnp.float32)
State = dict[str, np.ndarray]


def add(state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
    count, total = state["count"] + 1, state["total"] + x.sum(0)
    return {"count": count, "total": total}, total


def program(shop: Shop) -> tuple[Path, Path, bytes]:
    """A .loom with two entry points, an input for several calls, and the state they save."""
    folder = shop.fresh("m.loom").parent
    state = {"count": np.zeros((), np.int32), "total": np.zeros(3, np.float32)}
    entries = {"add": loom.Entry.update(add, X), "look": loom.Entry.read(lambda s: s["total"])}
    bundle = loom.export(None, entries=entries, state=state, path=folder / "bundle")
    x = folder / "x.npy"
    np.save(x, np.ones((8, 3), np.float32))
    binary, saved = folder / "m.loom", folder / "saved.safetensors"
    words = ["--device", "sim", "--input", f"x={x}", "--batch-input", "x", "--save", saved]
    for command in (
        [shop.tools / "loomc", bundle.path, "-o", binary],
        [shop.tools / "loom", "run", binary, "--entry", "add", *words],
    ):
        subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)
    return binary, x, saved.read_bytes()


def cases(shop: Shop) -> Iterator[Case]:
    binary, x, saved = program(shop)
    given = ["--input", f"x={x}", "--batch-input", "x"]

    def run(name: str, *words: str, arguments: list[Any], inputs: Any = given, **more: Any) -> Case:
        return shop.run(
            name, *words, program=binary, device="sim", arguments=[*arguments, *inputs], **more
        )

    for wrong, words in {
        "another name": ("trian", ("no entry point trian", "add, look")),
        "an empty name": ("", ("--entry", "empty")),
        "a name of 100,000 letters": ("a" * 100_000, ("no entry point",)),
    }.items():
        yield run(f"--entry of {wrong}", *words[1], arguments=["--entry", words[0]])
    yield run("no --entry where there are two", "several", "add, look", arguments=[])
    for steps in ("0", "-3", "1.5", "many", "", "1e3", "0x10", "9" * 30, "100000001"):
        what = ("--steps", "whole number")
        yield run(f"--steps {steps!r}", *what, arguments=["--entry", "add", "--steps", steps])
    yield run(
        "--steps whose results are too large",
        "output result",
        "12 bytes each",
        "MiB",
        arguments=["--entry", "add", "--steps", "100000000"],
    )
    yield run(
        "an array of several batches given as one",
        "--batch-input x",
        arguments=["--entry", "add"],
        inputs=["--input", f"x={x}"],
    )
    for name, words, data, size in states(saved):
        file = shop.file("state.safetensors", data, size)
        yield run(f"--restore {name}", *words, arguments=["--entry", "add", "--restore", file])
    for name, place, words in (
        ("nothing", shop.place / "nowhere", ("nowhere", "No such file")),
        ("a directory", shop.place, ("not a regular file",)),
        ("a device", "/dev/zero", ("/dev/zero", "not a regular file")),
        ("an empty name", "", ("--restore", "empty")),
    ):
        yield run(f"--restore {name}", *words, arguments=["--entry", "add", "--restore", place])
    yield from places(run, x)
    yield shop.run(
        "--restore for a program without state",
        "no state",
        arguments=["--input", f"x={shop.image}", "--restore", x],
    )
    target = shop.fresh("s.safetensors")
    yield shop.run(
        "--save of a program without state",
        "no state",
        arguments=["--input", f"x={shop.image}", "--save", target],
    )


def places(run: Any, x: Path) -> Iterator[Case]:
    """Where nothing can be written: told before anything runs."""
    inside = x / "within"
    for option, name, place, words in (
        ("--save", "in no directory", "/nowhere/s", ("--save", "no directory /nowhere")),
        ("--save", "a directory", x.parent, ("--save", "is a directory")),
        ("--save", "an empty name", "", ("--save", "empty")),
        ("--output", "in no directory", "result=/nowhere/r.npy", ("--output", "/nowhere")),
        ("--output", "a directory", f"result={x.parent}", ("--output", "is a directory")),
        ("--output", "of another name", f"loss={x}2", ('no output "loss"', "it has: result")),
        ("--output", "without a file", "result", ("NAME=FILE",)),
        ("--output-dir", "within a file", inside, ("--output-dir", "no directory")),
    ):
        case = run(f"{option} {name}", *words, arguments=["--entry", "add", option, place])
        if option == "--output-dir":
            # Only the wrong one of the two.
            case.command[-2:] = []
        yield case


def states(saved: bytes) -> Iterator[tuple[str, tuple[str, ...], bytes, int | None]]:
    """(name, words, file, size) of what is no state of this program."""
    good = load(saved)
    yield "nothing in it", ("safetensors",), b"", None
    for at in cuts(saved):
        yield f"cut to {at} bytes", ("safetensors|damaged|header",), saved[:at], None
    yield "of 8 GiB", ("64 MiB", "same program"), saved, HUGE
    yield "an array", ("safetensors|header",), b"\x93NUMPY\1\0" + bytes(200), None
    yield "header nested 100,000 deep", ("header",), raw(b"[" * 100_000), None
    yield "header no object", ("header",), raw(b"[]"), None
    yield "header of noise", ("header",), raw(bytes(range(256))), None
    yield "a longer header than file", ("safetensors",), b"\xff" * 7 + b"\x7f{}", None
    total, count = good["total"], good["count"]
    other: dict[str, tuple[State, tuple[str, ...]]] = {
        "without one": ({"total": total}, ("lacks", "count")),
        "without any": ({"a": total}, ("lacks", "count, total")),
        "with one too many": ({**good, "more": total}, ("holds more", "no state")),
        "of another type": ({**good, "count": count.astype(np.uint32)}, ("count", "U32", "I32")),
        "of another shape": ({**good, "total": np.ones((1, 3), "f4")}, ("total", "1, 3", "3")),
    }
    for name, (state, words) in other.items():
        yield name, words, save(state), None
    for name, word, change in (
        ("places past the end", "total", {"total": {"data_offsets": [4, 1 << 40]}}),
        ("places that end before they begin", "total", {"total": {"data_offsets": [16, 4]}}),
        ("places below zero", "total", {"total": {"data_offsets": [-4, 8]}}),
        ("places of another length", "total", {"total": {"data_offsets": [4, 8]}}),
        ("places that are words", "total", {"total": {"data_offsets": "all"}}),
        ("a shape below zero", "count", {"count": {"shape": [-1]}}),
        ("a type that is a number", "count", {"count": {"dtype": 7}}),
        ("no type", "count", {"count": {"dtype": None}}),
    ):
        length = int.from_bytes(saved[:8], "little")
        header = json.loads(saved[8 : 8 + length])
        for tensor, fields in change.items():
            header[tensor].update(fields)
        yield name, (word,), raw(json.dumps(header).encode()) + saved[8 + length :], None


def raw(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header
