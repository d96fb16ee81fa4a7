# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train a small Flax CNN on scikit-learn's bundled digits and export it for Loom.

    python examples/digits.py --out DIR [--seed N] [--batch N] [--dtype f32|bf16]

1,797 images of 8x8 pixels, nothing to download: 1,437 train, 360 test. Two convolutions, a
max-pool and two dense layers, 38,282 parameters, Adam with a cosine decay; about 98 % of the test
images are recognised. DIR receives

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
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TEST_IMAGES = 360
TRAIN_BATCH = 64
EPOCHS = 15
LEARNING_RATE = 3e-3


class DigitsCNN(nn.Module):
    """Images [n, 8, 8, 1] -> logits [n, 10]."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(16, (3, 3), dtype=self.dtype)(x))
        x = nn.relu(nn.Conv(32, (3, 3), dtype=self.dtype)(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(64, dtype=self.dtype)(x))
        return nn.Dense(10, dtype=self.dtype)(x)


class Split(NamedTuple):
    """Images are f32 [n, 8, 8, 1] in 0..1, labels i32 [n]."""

    train_images: np.ndarray
    test_images: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


def load(seed: int) -> Split:
    """The digits, split with every class in both parts in the same proportion."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    labels = digits.target.astype(np.int32)
    return Split(
        *train_test_split(images, labels, test_size=TEST_IMAGES, random_state=seed, stratify=labels)
    )


def train(data: Split, seed: int, say: Any = None) -> tuple[dict, int]:
    """Train from scratch; returns the linen variables (f32) and the number of steps."""
    model = DigitsCNN()
    variables = model.init(jax.random.key(seed), data.train_images[:1])
    steps_per_epoch = len(data.train_images) // TRAIN_BATCH
    # A constant rate ends a point lower after the same number of epochs.
    rate = optax.cosine_decay_schedule(LEARNING_RATE, EPOCHS * steps_per_epoch)
    optimiser = optax.adam(rate)
    state = optimiser.init(variables)

    @jax.jit
    def step(variables, state, images, labels):
        def loss_of(v):
            logits = model.apply(v, images)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        loss, gradient = jax.value_and_grad(loss_of)(variables)
        update, state = optimiser.update(gradient, state)
        return optax.apply_updates(variables, update), state, loss

    shuffle = np.random.default_rng(seed)
    for epoch in range(EPOCHS):
        order = shuffle.permutation(len(data.train_images))
        for i in range(steps_per_epoch):
            pick = order[i * TRAIN_BATCH : (i + 1) * TRAIN_BATCH]
            variables, state, loss = step(
                variables, state, data.train_images[pick], data.train_labels[pick]
            )
        if say:
            say(f"epoch {epoch + 1:2}/{EPOCHS}  loss {float(loss):.4f}")
    return variables, EPOCHS * steps_per_epoch


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
    if importlib.util.find_spec("loom") is None:  # not installed: take this checkout's
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "umd" / "python"))
    import loom

    # The reference is the CPU's answer even where the process has an accelerator.
    with jax.default_device(jax.devices("cpu")[0]):
        start = time.monotonic()
        data = load(options.seed)
        trained, steps = train(data, options.seed, None if options.quiet else print)
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
        "steps": steps,
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
