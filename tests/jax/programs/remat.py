# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Four equal blocks, one nn.scan over their stacked weights, each recomputed on the way back."""

from __future__ import annotations

import argparse

import flax.linen as nn
import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

WIDTH, BLOCKS, BATCH = 32, 4, 32


class Block(nn.Module):
    """Attention over the rows of an image, and two dense layers."""

    @nn.compact
    def __call__(self, x: jax.Array, _: None) -> tuple[jax.Array, None]:
        normal = nn.LayerNorm()(x)
        query = nn.DenseGeneral((4, WIDTH // 4), name="query")(normal)
        key = nn.DenseGeneral((4, WIDTH // 4), name="key")(normal)
        value = nn.DenseGeneral((4, WIDTH // 4), name="value")(normal)
        attended = jax.nn.dot_product_attention(query, key, value)
        x = x + nn.DenseGeneral(WIDTH, axis=(-2, -1), name="out")(attended)
        hidden = nn.gelu(nn.Dense(2 * WIDTH)(nn.LayerNorm()(x)))
        return x + nn.Dense(WIDTH)(hidden), None


class Stack(nn.Module):
    """Images [n, 8, 8] -> logits [n, 10]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(WIDTH)(x) + self.param("place", nn.initializers.normal(0.1), (8, WIDTH))
        again = nn.remat(
            Block, prevent_cse=False, policy=jax.checkpoint_policies.dots_with_no_batch_dims_saveable
        )
        blocks = nn.scan(
            again, variable_axes={"params": 0}, split_rngs={"params": True}, length=BLOCKS
        )
        x, _ = blocks()(x, None)
        return nn.Dense(10)(nn.LayerNorm()(x).mean(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)
    labels = digits.target.astype(np.int32)
    model = Stack()
    params = model.init(jax.random.key(options.seed), images[:1])
    optimiser = optax.adamw(2e-3)
    state = optimiser.init(params)

    # A second checkpoint around all of it: recomputed twice, the result is the same.
    @jax.checkpoint
    def loss_of(params, x, y):
        logits = model.apply(params, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def step(params, state, x, y):
        loss, gradient = jax.value_and_grad(loss_of)(params, x, y)
        update, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, update), state, loss

    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        batch = pick.integers(0, 1400, BATCH)
        params, state, loss = step(params, state, images[batch], labels[batch])
        print(f"step {i:4d}  loss {loss:.7f}")


if __name__ == "__main__":
    main()
