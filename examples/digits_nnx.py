# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train a small nnx CNN with BatchNorm and dropout on scikit-learn's bundled digits.

    python examples/digits_nnx.py [--steps N] [--seed N]

1,797 images of 8x8 pixels, the last 360 kept for the test. Two convolutions with BatchNorm, a
max-pool, dropout and two dense layers; nnx.Optimizer with AdamW. About 95 % of the test images,
which other hands wrote than those of the training, are recognised after the default of 200 steps.
"""

from __future__ import annotations

import argparse

import jax
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits

TEST_IMAGES = 360
TRAIN_BATCH = 64


class Net(nnx.Module):
    """Images [n, 8, 8, 1] -> logits [n, 10]."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(1, 16, (3, 3), rngs=rngs)
        self.norm1 = nnx.BatchNorm(16, momentum=0.9, rngs=rngs)
        self.conv2 = nnx.Conv(16, 32, (3, 3), rngs=rngs)
        self.norm2 = nnx.BatchNorm(32, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.dense1 = nnx.Linear(4 * 4 * 32, 64, rngs=rngs)
        self.dense2 = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm1(self.conv1(x)))
        x = nnx.relu(self.norm2(self.conv2(x)))
        x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        x = self.dropout(x.reshape(x.shape[0], -1))
        return self.dense2(nnx.relu(self.dense1(x)))


def load() -> tuple[np.ndarray, np.ndarray]:
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    return images, digits.target.astype(np.int32)


@nnx.jit
def train_step(
    model: Net, optimizer: nnx.Optimizer, images: jax.Array, labels: jax.Array
) -> jax.Array:
    def loss_of(model: Net) -> jax.Array:
        logits = model(images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = nnx.value_and_grad(loss_of)(model)
    optimizer.update(model, gradients)
    return loss


@nnx.jit
def predict(model: Net, images: jax.Array) -> jax.Array:
    return model(images).argmax(-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of weights, dropout and batches")
    options = parser.parse_args()
    images, labels = load()
    model = Net(nnx.Rngs(options.seed))
    optimizer = nnx.Optimizer(model, optax.adamw(2e-3), wrt=nnx.Param)

    model.train()
    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        batch = pick.integers(0, len(images) - TEST_IMAGES, TRAIN_BATCH)
        loss = train_step(model, optimizer, images[batch], labels[batch])
        print(f"step {i:4d}  loss {loss:.7f}")

    model.eval()
    right = int((predict(model, images[-TEST_IMAGES:]) == labels[-TEST_IMAGES:]).sum())
    print(f"accuracy {right / TEST_IMAGES:.4f}")


if __name__ == "__main__":
    main()
