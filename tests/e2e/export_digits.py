# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train the digits CNN of examples/digits.py and export it for the compiler.

    python tests/e2e/export_digits.py --out DIR [--seed N] [--batch N] [--dtype f32|bf16]

DIR receives

    bundle/            the trained model for `loomc`, compiled for --batch images a run
    images.npy         f32 [360, 8, 8, 1]   the test images, pixels in 0..1
    labels.npy         i32 [360]            what they show
    jax_logits.npy     f32 [360, 10]        the same model's answer from JAX on the CPU
    result.json        {accuracy, seconds, steps, parameters, ...}

With --dtype bf16 the weights are rounded to bfloat16 after training and the model computes in
bfloat16; it still takes f32 images, and its bf16 logits are widened for jax_logits.npy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from paths import use_checkout

use_checkout()

import loom
from digits import STEPS, TEST_IMAGES, DigitsCNN, load, train


def in_dtype(variables: dict, dtype: str) -> tuple[DigitsCNN, dict]:
    """The model and its weights for "f32" or "bf16"."""
    kind = {"f32": jnp.float32, "bf16": jnp.bfloat16}[dtype]
    return DigitsCNN(dtype=kind), jax.tree.map(lambda v: v.astype(kind), variables)


def predict(model: DigitsCNN, variables: dict, images: np.ndarray, batch: int) -> np.ndarray:
    """f32 logits of all images, `batch` at a time as the compiled program takes them."""
    apply = jax.jit(model.apply)
    parts = [
        np.asarray(apply(variables, images[i : i + batch]), np.float32)
        for i in range(0, len(images), batch)
    ]
    return np.concatenate(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0, help="of the split, weights and shuffling")
    parser.add_argument("--batch", type=int, default=60, help="images a run; divides 360")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--quiet", action="store_true", help="print the last line alone")
    options = parser.parse_args()
    if options.batch < 1 or TEST_IMAGES % options.batch:
        parser.error(f"--batch {options.batch} does not divide the {TEST_IMAGES} test images")
    # The reference is the CPU's answer even where the process has an accelerator.
    with jax.default_device(jax.devices("cpu")[0]):
        start = time.monotonic()
        data = load(options.seed)
        trained = train(data, options.seed, STEPS, quiet=options.quiet)
        seconds = time.monotonic() - start
        model, variables = in_dtype(trained, options.dtype)
        logits = predict(model, variables, data.test_images, options.batch)
    right = int((logits.argmax(-1) == data.test_labels).sum())
    accuracy = right / TEST_IMAGES
    options.out.mkdir(parents=True, exist_ok=True)
    images = jax.ShapeDtypeStruct((options.batch, *data.test_images.shape[1:]), jnp.float32)
    loom.export(model, (images,), params=variables, path=options.out / "bundle")
    np.save(options.out / "images.npy", data.test_images)
    np.save(options.out / "labels.npy", data.test_labels)
    np.save(options.out / "jax_logits.npy", logits)
    result = {
        "accuracy": accuracy,
        "right": right,
        "seconds": round(seconds, 3),
        "steps": STEPS,
        "parameters": sum(v.size for v in jax.tree.leaves(variables)),
        "batch": options.batch,
        "dtype": options.dtype,
        "seed": options.seed,
    }
    (options.out / "result.json").write_text(json.dumps(result) + "\n")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
