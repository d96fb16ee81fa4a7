# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX's own test harnesses as a corpus: each case an artifact, its inputs, and
what JAX answers on the CPU.

    export.py FOLDER --part sample|rest [--x64] [--worker N/M]

writes FOLDER/<mode>-<worker>.jsonl, one case a line, arrays into
FOLDER/<mode>-<worker>.bin and artifacts beside them. Arrays are little-endian
and row-major, i1 one byte an element.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxlib import _jax

TYPES = {"bool": "i1", "int8": "i8", "int16": "i16", "int32": "i32",
         "int64": "i64", "uint8": "u8", "uint16": "u16", "uint32": "u32",
         "uint64": "u64", "float16": "f16", "bfloat16": "bf16",
         "float32": "f32", "float64": "f64", "complex64": "c64"}
VERSION = "1.17.0"  # of StableHLO, newest that the reader knows
PLATFORM = "loom"  # plainest lowering: no rule of another backend applies
SCATTER_SAMPLE = 16  # of the scatter groups, more than half of all cases


class Foreign(Exception):
    """A case with a type that Loom refuses for good."""


def type_name(dtype: Any) -> str:
    name = np.dtype(dtype).name
    if name not in TYPES:
        raise Foreign(name)
    return TYPES[name]


def leaves(tree: Any) -> list[np.ndarray]:
    """Plain arrays; a typed PRNG key is the words it consists of."""
    is_key = jax.dtypes.prng_key
    return [np.asarray(jax.random.key_data(x)
                       if jax.dtypes.issubdtype(x.dtype, is_key) else x)
            for x in jax.tree.leaves(tree)]


def is_array(x: Any) -> bool:
    return not jax.dtypes.issubdtype(getattr(x, "dtype", None),
                                     jax.dtypes.prng_key)


def canonical(x: Any) -> np.ndarray:
    """As JAX takes it: without x64, 64-bit numbers have 32 bits."""
    a = np.asarray(x)
    return a.astype(jax.dtypes.canonicalize_dtype(a.dtype))


def settled(harness: Any) -> Callable[..., Any]:
    """The harness's function without what JAX leaves open: above a Cholesky
    factor's diagonal there is anything."""
    if harness.group_name != "cholesky":
        return harness.dyn_fun
    return lambda *args: jnp.tril(harness.dyn_fun(*args))


@contextlib.contextmanager
def stable_sorts() -> Iterator[None]:
    """Of the orders that an unstable sort may give, the one of a stable sort."""
    bind = lax.sort_p.bind
    lax.sort_p.bind = lambda *args, **kw: bind(*args, **{**kw, "is_stable": True})
    try:
        yield
    finally:
        del lax.sort_p.bind


def wanted(position: dict[str, int], group: str, part: str) -> bool:
    """Whether the next case of its group belongs to this part."""
    n = position[group]
    position[group] += 1
    in_sample = not group.startswith("scatter") or n % SCATTER_SAMPLE == 0
    return in_sample == (part == "sample")


def runs_in_jax(harness: Any) -> bool:
    return harness.filter("cpu") and not any(
        limit.skip_run and limit.filter("cpu", harness.dtype)
        for limit in harness.jax_unimplemented)


def in_order(harnesses: list[Any]) -> list[Any]:
    """JAX makes some in the order of sets of types, another in each process:
    workers would take cases twice, and leave some out."""
    return sorted(harnesses, key=lambda h: (h.group_name, h.name,
                                            str(np.dtype(h.dtype))))


class Writer:
    """One worker's files."""

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder, self.stem = folder, stem
        folder.mkdir(parents=True, exist_ok=True)
        self.index = (folder / f"{stem}.jsonl").open("w")
        self.arrays: BinaryIO = (folder / f"{stem}.bin").open("wb")

    def array(self, a: np.ndarray) -> dict[str, Any]:
        data = np.ascontiguousarray(a).tobytes()
        at = self.arrays.tell()
        self.arrays.write(data)
        return {"type": type_name(a.dtype), "shape": list(a.shape), "at": at,
                "bytes": len(data)}

    def line(self, row: dict[str, Any]) -> None:
        self.index.write(json.dumps(row) + "\n")

    def close(self) -> None:
        self.index.close()
        self.arrays.close()


def export_case(writer: Writer, number: int, harness: Any) -> dict[str, Any]:
    made = harness.dyn_args_maker(np.random.RandomState(42))
    args = [canonical(a) if is_array(a) else a for a in made]
    for a in leaves(args):
        type_name(a.dtype)
    try:
        module = (jax.jit(settled(harness), keep_unused=True).trace(*args)
                  .lower(lowering_platforms=(PLATFORM,))
                  .compiler_ir("stablehlo"))
        code = _jax.mlir.serialize_portable_artifact(module, VERSION, False)
    except Exception as e:
        return {"no_program": first_line(e)}
    with stable_sorts():
        outputs = leaves(jax.jit(lambda *a: settled(harness)(*a))(*args))
    for a in outputs:
        type_name(a.dtype)
    text = str(module)
    if re.search(r"complex<f64>", text):
        raise Foreign("complex<f64>")
    name = f"{writer.stem}-{number:05d}.bc"
    (writer.folder / name).write_bytes(code)
    key = hashlib.sha256(text.encode())
    for a in leaves(args):
        key.update(a.tobytes())
    return {"artifact": name, "key": key.hexdigest()[:16],
            "inputs": [writer.array(a) for a in leaves(args)],
            "outputs": [writer.array(a) for a in outputs]}


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("sample", "rest"), required=True)
    parser.add_argument("--x64", action="store_true")
    parser.add_argument("--worker", default="0/1")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]  # the harnesses read flags when they are imported
    jax.config.update("jax_enable_x64", options.x64)
    from jax._src.internal_test_util import test_harnesses
    warnings.filterwarnings("ignore")
    worker, workers = map(int, options.worker.split("/"))
    mode = "x64" if options.x64 else "x32"
    writer = Writer(options.folder, f"{mode}-{worker}")
    position: dict[str, int] = collections.defaultdict(int)
    counts: dict[str, int] = collections.Counter()
    for number, harness in enumerate(in_order(test_harnesses.all_harnesses)):
        if not runs_in_jax(harness):
            continue
        if (not wanted(position, harness.group_name, options.part)
                or number % workers != worker):
            continue
        try:
            dtype = jax.dtypes.canonicalize_dtype(harness.dtype)
            head = {"group": harness.group_name, "mode": mode,
                    "type": type_name(dtype), "name": harness.name}
            row = export_case(writer, number, harness)
        except Foreign as e:
            counts[f"foreign type {e}"] += 1
            continue
        counts["no program" if "no_program" in row else "exported"] += 1
        writer.line({**head, **row})
    writer.close()
    print(f"{mode} {options.part} {options.worker}: "
          + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
