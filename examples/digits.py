# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train a small Flax CNN on scikit-learn's bundled digits.

    python examples/digits.py [--steps N] [--seed N]

1,797 images of 8x8 pixels, nothing to download: 1,437 train, 360 test. Two convolutions, a
max-pool and two dense layers, 38,282 parameters, Adam with a cosine decay; about 98 % of the test
images are recognised after the default of 330 steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
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
STEPS = 330
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


def batches(data: Split, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and labels, shuffled anew each epoch, without end."""
    shuffle = np.random.default_rng(seed)
    while True:
        order = shuffle.permutation(len(data.train_images))
        for i in range(len(order) // TRAIN_BATCH):
            pick = order[i * TRAIN_BATCH : (i + 1) * TRAIN_BATCH]
            yield data.train_images[pick], data.train_labels[pick]


def train(data: Split, seed: int, steps: int, quiet: bool = False) -> dict:
    """Train from scratch; returns the linen variables (f32)."""
    model = DigitsCNN()
    variables = model.init(jax.random.key(seed), data.train_images[:1])
    # A constant rate ends a point lower after the same number of epochs.
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))
    state = optimiser.init(variables)

    @jax.jit
    def step(variables, state, images, labels):
        def loss_of(v):
            logits = model.apply(v, images)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        loss, gradient = jax.value_and_grad(loss_of)(variables)
        update, state = optimiser.update(gradient, state)
        return optax.apply_updates(variables, update), state, loss

    for i, (images, labels) in zip(range(steps), batches(data, seed)):
        variables, state, loss = step(variables, state, images, labels)
        if not quiet:
            print(f"step {i:4d}  loss {loss:.7f}")
    return variables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0, help="of the split, weights and shuffling")
    options = parser.parse_args()
    data = load(options.seed)
    variables = train(data, options.seed, options.steps)
    logits = jax.jit(DigitsCNN().apply)(variables, data.test_images)
    right = int((logits.argmax(-1) == data.test_labels).sum())
    print(f"accuracy {right / TEST_IMAGES:.4f}")


if __name__ == "__main__":
    main()
