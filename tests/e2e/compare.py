# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Is Loom's tensor the same as JAX's? One rule for every model and backend.

    f32   max |loom - jax| <= 1e-4 max |jax|
    bf16  max |loom - jax| <= 2e-2 max |jax|   (JAX run in bf16; a deep network in which JAX's own
          answers, compiled and operation by operation, differ by more may differ 1.25 times as much)
    ints  equal
    all   equal shapes; NaN, +inf and -inf in the same places

    python tests/e2e/compare.py LOOM.npy JAX.npy [--dtype bf16]
    python tests/e2e/compare.py --model DIR --outputs DIR      all outputs of an exported model
    python tests/e2e/compare.py LOGITS.npy LABELS.npy --accuracy

exits 0 when they agree, 1 when they do not, 2 when a file cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from paths import load_tensor, output_file, tensor_file

TOLERANCE = {"f32": 1e-4, "bf16": 2e-2}
SLACK = 1.25  # times what JAX differs from itself, where that was measured and is more
INTEGERS = ("i32", "u32", "i16", "u16", "i8", "u8", "i1")


@dataclass(frozen=True)
class Verdict:
    """same: they agree. error: max |loom - jax| / max |jax|, or the count of unequal integers."""

    same: bool
    error: float
    text: str


def compare(
    loom: np.ndarray, jax: np.ndarray, dtype: str, jax_to_itself: float = 0.0
) -> Verdict:
    """Apply the rule for element type `dtype`; bf16 arrays come widened to f32."""
    if loom.shape != jax.shape:
        return Verdict(False, float("inf"), f"shape {list(loom.shape)}, expected {list(jax.shape)}")
    if dtype in INTEGERS:
        return _integers(loom, jax)
    if dtype not in TOLERANCE:
        raise ValueError(f"no tolerance for element type {dtype!r}; there is {list(TOLERANCE)}")
    if loom.dtype.kind != "f" or jax.dtype.kind != "f":
        return Verdict(False, float("inf"), f"{loom.dtype} against {jax.dtype}, expected floats")
    tolerance = TOLERANCE[dtype]
    if dtype == "bf16":
        tolerance = max(tolerance, SLACK * jax_to_itself)
    return _floats(loom.astype(np.float64), jax.astype(np.float64), tolerance)


def _integers(loom: np.ndarray, jax: np.ndarray) -> Verdict:
    if loom.dtype != jax.dtype:
        return Verdict(False, float("inf"), f"type {loom.dtype}, expected {jax.dtype}")
    wrong = int((loom != jax).sum())
    if not wrong:
        return Verdict(True, 0.0, "equal")
    at = tuple(int(i) for i in np.argwhere(loom != jax)[0])
    return Verdict(
        False, float(wrong), f"{wrong} of {jax.size} differ; at {at} {loom[at]}, expected {jax[at]}"
    )


def _floats(loom: np.ndarray, jax: np.ndarray, tolerance: float) -> Verdict:
    special = [
        (name, test(loom) != test(jax))
        for name, test in (("NaN", np.isnan), ("+inf", np.isposinf), ("-inf", np.isneginf))
    ]
    for name, differs in special:
        if differs.any():
            at = tuple(int(i) for i in np.argwhere(differs)[0])
            return Verdict(False, float("inf"), f"{name} in other places, first at {at}")
    finite = np.isfinite(jax)
    if not finite.any():
        return Verdict(True, 0.0, "no finite element")
    gap = np.where(finite, np.abs(np.where(finite, loom, 0) - np.where(finite, jax, 0)), 0)
    scale = float(np.abs(jax[finite]).max())
    worst = float(gap.max())
    same = worst <= tolerance * scale
    error = worst / scale if scale else (0.0 if same else float("inf"))
    text = f"error {error:.2e} of {tolerance:.0e}"
    if not same:
        at = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
        text += f"; at {at} {loom[at]:.9g}, expected {jax[at]:.9g}"
    return Verdict(same, error, text)


def compare_model(model: Path, outputs: Path) -> dict[str, Verdict]:
    """The verdict on each output of an exported model; a missing file is a failing verdict."""
    meta = json.loads((model / "meta.json").read_text())
    verdicts = {}
    for row in meta["outputs"]:
        file = output_file(outputs, row["path"])
        if not file.is_file():
            verdicts[row["path"]] = Verdict(False, float("inf"), f"{file} was not written")
            continue
        expected = load_tensor(tensor_file(model / "expected", row["path"]), row["dtype"])
        verdicts[row["path"]] = compare(
            load_tensor(file, row["dtype"]),
            expected,
            row["dtype"],
            meta.get("jax_to_itself", 0.0),
        )
    return verdicts


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest logit is the label's; rows with a NaN are wrong."""
    right = (logits.argmax(-1) == labels) & ~np.isnan(logits).any(-1)
    return float(right.mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "files", nargs="*", type=Path, help="Loom's array and JAX's (or the labels)"
    )
    parser.add_argument("--dtype", default="f32", help="element type (default f32)")
    parser.add_argument("--model", type=Path, help="directory of models.py, with --outputs")
    parser.add_argument("--outputs", type=Path, help="what `loom run --output-dir` wrote")
    parser.add_argument("--accuracy", action="store_true", help="the second file holds labels")
    options = parser.parse_args()
    whole = options.model is not None and options.outputs is not None
    if whole == (len(options.files) == 2) or (options.files and len(options.files) != 2):
        parser.error("give two files, or --model and --outputs")
    try:
        if whole:
            verdicts = compare_model(options.model, options.outputs)
        else:
            first, second = (load_tensor(f, options.dtype) for f in options.files)
            if options.accuracy:
                print(json.dumps({"accuracy": accuracy(first, second), "images": len(second)}))
                return 0
            verdicts = {str(options.files[0]): compare(first, second, options.dtype)}
    except (OSError, ValueError, KeyError) as e:
        print(f"compare: error: {e}", file=sys.stderr)
        return 2
    for name, verdict in verdicts.items():
        print(f"{'same' if verdict.same else 'DIFFERS':8} {name}: {verdict.text}")
    return 0 if all(v.same for v in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
