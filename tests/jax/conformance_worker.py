# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs cases of JAX's own harnesses through JAX on its default device.

    conformance_worker.py FILE.bin [--x64]

Reads places of cases, an index file and a line of it; answers each with `ROW {...}`: where in
FILE.bin its outputs lie, or that it was refused, and why. conformance.py starts it, many cases a process.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

from export import TYPES, canonical, first_line, is_array, leaves, settled

NUMPY_NAMES = {short: name for name, short in TYPES.items()}


@functools.cache
def index_of(path: str) -> tuple[list[str], np.ndarray]:
    """The lines of an index file, and its arrays' bytes."""
    return Path(path).read_text().splitlines(), np.memmap(Path(path).with_suffix(".bin"), np.uint8)


def inputs_of(row: dict[str, Any], data: np.ndarray) -> list[np.ndarray]:
    return [
        np.array(data[i["at"] : i["at"] + i["bytes"]])
        .view(np.dtype(NUMPY_NAMES[i["type"]]))
        .reshape(i["shape"])
        for i in row["inputs"]
    ]


def arguments(harness: Any, stored: list[np.ndarray]) -> list[Any]:
    """The case's own: some harnesses draw others in each process."""
    made = harness.dyn_args_maker(np.random.RandomState(42))
    kinds, structure = jax.tree.flatten([canonical(a) if is_array(a) else a for a in made])
    return jax.tree.unflatten(
        structure,
        [
            value if is_array(kind) else jax.random.wrap_key_data(value, impl=jax.random.key_impl(kind))
            for kind, value in zip(kinds, stored, strict=True)
        ],
    )


def run_case(harness: Any, stored: list[np.ndarray], out: BinaryIO) -> dict[str, Any]:
    try:
        args = arguments(harness, stored)
        # Not the same function object twice: each case is compiled for itself.
        results = leaves(jax.jit(lambda *a: settled(harness)(*a))(*args))
    except Exception as e:
        return {"status": "refused", "reason": first_line(e)}
    outputs = []
    for a in results:
        data = np.ascontiguousarray(a).tobytes()
        outputs.append({"at": out.tell(), "bytes": len(data)})
        out.write(data)
    out.flush()
    return {"outputs": outputs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--x64", action="store_true")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]  # the harnesses read flags when they are imported
    jax.config.update("jax_enable_x64", options.x64)
    from jax._src.internal_test_util import test_harnesses

    warnings.filterwarnings("ignore")
    # By name: their order is another in each process.
    harnesses = {(h.group_name, h.name): h for h in test_harnesses.all_harnesses}
    with options.out.open("ab") as out:
        print("ROW", json.dumps({"platform": jax.devices()[0].platform}), flush=True)
        for line in sys.stdin:
            path, number = json.loads(line)
            rows, data = index_of(path)
            case = json.loads(rows[number])
            harness = harnesses[case["group"], case["name"]]
            row = run_case(harness, inputs_of(case, data), out)
            print("ROW", json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
