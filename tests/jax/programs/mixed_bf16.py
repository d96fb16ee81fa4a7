# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A CNN computed in bfloat16 over f32 weights: loss scaling that adapts, gradients checked."""

from __future__ import annotations

import argparse
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from sklearn.datasets import load_digits


class Scale(NamedTuple):
    """What the loss is multiplied by, and for how many steps that went well."""

    factor: jax.Array
    good: jax.Array


class Net(nn.Module):
    """Images [n, 8, 8, 1] -> f32 logits [n, 10], bfloat16 between."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        half = {"dtype": jnp.bfloat16, "param_dtype": jnp.float32}
        x = nn.relu(nn.Conv(16, (3, 3), **half)(x))
        x = nn.relu(nn.Conv(16, (3, 3), strides=(2, 2), **half)(x))
        x = nn.LayerNorm(dtype=jnp.float32)(x.reshape(x.shape[0], -1))
        x = nn.relu(nn.Dense(32, **half)(x))
        return nn.Dense(10, dtype=jnp.float32)(x)


def finite(tree: dict) -> jax.Array:
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]
    return jnp.stack(leaves).all()


def adapted(scale: Scale, fine: jax.Array) -> Scale:
    """Halved after an overflow, doubled after eight good steps."""
    good = jnp.where(fine, scale.good + 1, 0)
    grow = good >= 8
    factor = jnp.where(fine, jnp.where(grow, scale.factor * 2, scale.factor), scale.factor / 2)
    return Scale(factor, jnp.where(grow, 0, good))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    labels = digits.target.astype(np.int32)
    model = Net()
    params = model.init(jax.random.key(options.seed), images[:1])
    optimiser = optax.adam(1e-4)
    state = optimiser.init(params)
    scale = Scale(jnp.float32(256), jnp.int32(0))

    @jax.jit
    def step(params, state, scale, x, y):
        def loss_of(params):
            logits = model.apply(params, x.astype(jnp.bfloat16))
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
            return loss * scale.factor, loss

        (_, loss), gradient = jax.value_and_grad(loss_of, has_aux=True)(params)
        gradient = jax.tree.map(lambda g: g / scale.factor, gradient)
        fine = finite(gradient)

        def apply(args):
            params, state = args
            update, state = optimiser.update(gradient, state, params)
            return optax.apply_updates(params, update), state

        params, state = lax.cond(fine, apply, lambda args: args, (params, state))
        return params, state, adapted(scale, fine), loss

    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        batch = pick.integers(0, 1400, 64)
        params, state, scale, loss = step(params, state, scale, images[batch], labels[batch])
        print(f"step {i:4d}  loss {loss:.7f}")
    assert float(scale.factor) >= 256


if __name__ == "__main__":
    main()
