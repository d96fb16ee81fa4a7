# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs of JAX on its default device, one for every line of input.

    jax_steps.py dispatch|compile|mlp|cnn

answers each line with {"seconds": ...}: of one call of a jitted scalar add (the mean of many), of
compile() of a program that was never seen, of one train step (the mean of some). Train steps
donate their state; their answers hold what memory they may take and what they took, too.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax._src.ad_checkpoint import saved_residuals

CALLS = 500
STEPS = 10


class MLP(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width in (512, 512):
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(10)(x)


class CNN(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(16, (3, 3))(x))
        x = nn.relu(nn.Conv(32, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2)).reshape(x.shape[0], -1)
        return nn.Dense(10)(nn.relu(nn.Dense(64)(x)))


SHAPES = {"mlp": (128, 784), "cnn": (64, 8, 8, 1)}


def dispatch() -> Callable[[], dict[str, Any]]:
    add = jax.jit(lambda x: x + 1)
    x = jnp.float32(0)

    def once() -> dict[str, Any]:
        y = x
        start = time.perf_counter()
        for _ in range(CALLS):
            y = add(y)
        y.block_until_ready()
        return {"seconds": (time.perf_counter() - start) / CALLS}

    return once


def compiling() -> Callable[[], dict[str, Any]]:
    numbers = itertools.count(1)

    def once() -> dict[str, Any]:
        c = next(numbers) / 64
        lowered = jax.jit(lambda x: x * c + 1).lower(jnp.ones((4, 4)))
        start = time.perf_counter()
        lowered.compile()
        return {"seconds": time.perf_counter() - start}

    return once


def size(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def train(name: str) -> Callable[[], dict[str, Any]]:
    model: nn.Module = {"mlp": MLP, "cnn": CNN}[name]()
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=SHAPES[name]).astype(np.float32))
    y = jnp.asarray(rng.integers(0, 10, SHAPES[name][0]).astype(np.int32))
    params = jax.jit(model.init)(jax.random.key(0), x)
    optimiser = optax.adam(1e-3)
    state = (params, jax.jit(optimiser.init)(params))

    def loss_of(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, x), y).mean()

    def step(state: Any, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        params, moments = state
        loss, gradient = jax.value_and_grad(loss_of)(params, x, y)
        update, moments = optimiser.update(gradient, moments)
        return (optax.apply_updates(params, update), moments), loss

    # What the backward pass needs of the forward one, arguments not counted twice.
    activations = sum(
        aval.size * aval.dtype.itemsize
        for aval, where in saved_residuals(loss_of, params, x, y)
        if "argument" not in where
    )
    allowed = size(state) + size(params) + size((x, y)) + activations
    jitted = jax.jit(step, donate_argnums=0)

    def once() -> dict[str, Any]:
        nonlocal state
        start = time.perf_counter()
        for _ in range(STEPS):
            state, loss = jitted(state, x, y)
        loss.block_until_ready()
        seconds = (time.perf_counter() - start) / STEPS
        stats = jax.devices()[0].memory_stats() or {}
        return {"seconds": seconds, "allowed": allowed, "loss": float(loss),
                "peak": stats.get("peak_bytes_in_use", 0)}

    return once


def main() -> None:
    name = sys.argv[1]
    once = {"dispatch": dispatch, "compile": compiling}.get(name, lambda: train(name))()
    for _ in sys.stdin:
        print(json.dumps(once()), flush=True)


if __name__ == "__main__":
    main()
