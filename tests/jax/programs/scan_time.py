# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Learn the law of a pendulum from its path: lax.scan over time, Runge-Kutta, vmap over paths."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

STEPS, DT, PATHS = 20, 0.1, 16


class Force(nn.Module):
    """Angle and speed [2] -> their derivatives."""

    @nn.compact
    def __call__(self, state: jax.Array) -> jax.Array:
        x = nn.tanh(nn.Dense(24)(state))
        x = nn.tanh(nn.Dense(24)(x))
        return nn.Dense(2, kernel_init=nn.initializers.normal(0.05))(x)


def runge_kutta(force: Callable[[jax.Array], jax.Array], state: jax.Array) -> jax.Array:
    k1 = force(state)
    k2 = force(state + DT / 2 * k1)
    k3 = force(state + DT / 2 * k2)
    k4 = force(state + DT * k3)
    return state + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def path(force: Callable[[jax.Array], jax.Array], start: jax.Array) -> jax.Array:
    """The states after each of STEPS steps, [STEPS, 2]."""

    def step(state: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        state = runge_kutta(force, state)
        return state, state

    return lax.scan(step, start, None, length=STEPS)[1]


def pendulum(state: jax.Array) -> jax.Array:
    angle, speed = state
    return jnp.stack([speed, -jnp.sin(angle) - 0.1 * speed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = Force()
    params = model.init(jax.random.key(options.seed), jnp.zeros(2))
    optimiser = optax.adam(1e-2)
    state = optimiser.init(params)
    true_paths = jax.jit(jax.vmap(lambda start: path(pendulum, start)))

    @jax.jit
    def step(params, state, starts, paths):
        def loss_of(params):
            force = lambda s: model.apply(params, s)  # noqa: E731
            told = jax.vmap(lambda start: path(force, start))(starts)
            return ((told - paths) ** 2).mean()

        loss, gradient = jax.value_and_grad(loss_of)(params)
        update, state = optimiser.update(gradient, state)
        return optax.apply_updates(params, update), state, loss

    rng = np.random.default_rng(options.seed)
    for i in range(options.steps):
        starts = rng.uniform(-1.5, 1.5, (PATHS, 2)).astype(np.float32)
        params, state, loss = step(params, state, starts, true_paths(starts))
        print(f"step {i:4d}  loss {loss:.7f}")


if __name__ == "__main__":
    main()
