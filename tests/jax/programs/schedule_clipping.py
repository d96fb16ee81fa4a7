# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An encoder that sorts short sequences: warm-up and cosine decay, clipped gradients, weight decay
for matrices alone, accumulated over two steps."""

from __future__ import annotations

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

WORDS, LENGTH, WIDTH, BATCH = 16, 8, 32, 32


class Block(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        attended = nn.MultiHeadDotProductAttention(4)(nn.LayerNorm()(x))
        x = x + nn.Dropout(0.1, deterministic=not train)(attended)
        wide = nn.Dense(4 * WIDTH)(nn.LayerNorm()(x))
        left, right = jnp.split(wide, 2, axis=-1)
        return x + nn.Dense(WIDTH)(nn.silu(left) * right)


class Sorter(nn.Module):
    """Numbers below WORDS, [n, t] -> logits of the sorted ones."""

    @nn.compact
    def __call__(self, words: jax.Array, train: bool) -> jax.Array:
        place = self.param("place", nn.initializers.normal(0.1), (LENGTH, WIDTH))
        x = nn.Embed(WORDS, WIDTH)(words) + place
        for _ in range(2):
            x = Block()(x, train)
        return nn.Dense(WORDS)(nn.LayerNorm()(x))


def optimiser_for(params: dict, steps: int) -> optax.GradientTransformation:
    schedule = optax.warmup_cosine_decay_schedule(1e-4, 5e-3, max(1, steps // 5), steps, 1e-4)
    matrices = jax.tree.map(lambda leaf: leaf.ndim > 1, params)
    chain = optax.chain(
        optax.clip_by_global_norm(0.5),
        optax.scale_by_adam(b2=0.98),
        optax.add_decayed_weights(0.05, matrices),
        optax.scale_by_learning_rate(schedule),
    )
    return optax.MultiSteps(chain, every_k_schedule=2).gradient_transformation()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    key = jax.random.key(options.seed)
    model = Sorter()
    params = model.init(key, jnp.zeros((1, LENGTH), jnp.int32), False)["params"]
    optimiser = optimiser_for(params, options.steps)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, words, key):
        def loss_of(params):
            logits = model.apply({"params": params}, words, True, rngs={"dropout": key})
            target = optax.smooth_labels(jax.nn.one_hot(jnp.sort(words, axis=1), WORDS), 0.05)
            return optax.softmax_cross_entropy(logits, target).mean()

        loss, gradient = jax.value_and_grad(loss_of)(params)
        update, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, update), state, loss

    rng = np.random.default_rng(options.seed)
    for i in range(options.steps):
        words = rng.integers(0, WORDS, (BATCH, LENGTH)).astype(np.int32)
        key, used = jax.random.split(key)
        params, state, loss = step(params, state, words, used)
        print(f"step {i:4d}  loss {loss:.7f}")


if __name__ == "__main__":
    main()
