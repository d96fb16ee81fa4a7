# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An nnx mixer with dropout: nnx.Optimizer, nnx.jit, metrics, and the state split and merged."""

from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits


class Mixer(nnx.Module):
    """Rows of an image as tokens: mix over tokens, then over channels."""

    def __init__(self, tokens: int, width: int, rngs: nnx.Rngs) -> None:
        self.norm1 = nnx.LayerNorm(width, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, rngs=rngs)
        self.over_tokens = nnx.Linear(tokens, tokens, rngs=rngs)
        self.up = nnx.Linear(width, 2 * width, rngs=rngs)
        self.down = nnx.Linear(2 * width, width, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        mixed = self.over_tokens(self.norm1(x).swapaxes(1, 2)).swapaxes(1, 2)
        x = x + self.dropout(nnx.gelu(mixed))
        return x + self.down(self.dropout(nnx.gelu(self.up(self.norm2(x)))))


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Linear(8, 32, rngs=rngs)
        self.blocks = nnx.List([Mixer(8, 32, rngs) for _ in range(2)])
        self.head = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=1))


@nnx.jit
def train_step(model: Net, optimizer: nnx.Optimizer, metrics: nnx.MultiMetric, x, y) -> jax.Array:
    def loss_of(model: Net):
        logits = model(x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), logits

    (loss, logits), gradient = nnx.value_and_grad(loss_of, has_aux=True)(model)
    optimizer.update(model, gradient)
    metrics.update(loss=loss, logits=logits, labels=y)
    return loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)
    labels = digits.target.astype(np.int32)
    model = Net(nnx.Rngs(params=options.seed, dropout=options.seed + 1))
    optimizer = nnx.Optimizer(model, optax.lamb(5e-3), wrt=nnx.Param)
    metrics = nnx.MultiMetric(
        accuracy=nnx.metrics.Accuracy(), loss=nnx.metrics.Average("loss")
    )
    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        batch = pick.integers(0, 1400, 32)
        loss = train_step(model, optimizer, metrics, images[batch], labels[batch])
        print(f"step {i:4d}  loss {loss:.7f}")
    means = {name: float(value) for name, value in metrics.compute().items()}
    assert 0 < means["accuracy"] <= 1 and means["loss"] > 0

    graph, state = nnx.split(model)
    frozen = nnx.merge(graph, jax.tree.map(jnp.copy, state))
    frozen.eval()
    assert nnx.jit(lambda m, x: m(x))(frozen, images[:4]).shape == (4, 10)


if __name__ == "__main__":
    main()
