# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Two recurrent layers, LSTM and GRU, learn to add and to copy; nn.RNN with lengths."""

from __future__ import annotations

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

LENGTH, BATCH, HIDDEN = 16, 32, 24


class Reader(nn.Module):
    """Pairs [n, t, 2] -> the sum of the marked ones, and the sequence backwards."""

    @nn.compact
    def __call__(self, x: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
        forward = nn.RNN(nn.OptimizedLSTMCell(HIDDEN), name="forward")
        backward = nn.RNN(nn.GRUCell(HIDDEN), reverse=True, keep_order=True, name="backward")
        ahead = forward(x, seq_lengths=lengths)
        both = jnp.concatenate([ahead, backward(x, seq_lengths=lengths)], axis=-1)
        (_, last), _ = nn.RNN(
            nn.LSTMCell(HIDDEN), return_carry=True, name="top"
        )(both, seq_lengths=lengths)
        return nn.Dense(1)(last)[:, 0], nn.Dense(1)(both)[..., 0]


def batch_of(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Numbers, marks, lengths; the sum of the marked; each number's predecessor."""
    numbers = rng.uniform(-1, 1, (BATCH, LENGTH)).astype(np.float32)
    lengths = rng.integers(LENGTH // 2, LENGTH + 1, BATCH).astype(np.int32)
    inside = np.arange(LENGTH) < lengths[:, None]
    marks = ((rng.random((BATCH, LENGTH)) < 0.3) & inside).astype(np.float32)
    before = np.roll(numbers, 1, axis=1) * (np.arange(LENGTH) > 0)
    total = (numbers * marks).sum(1, dtype=np.float32)
    return np.stack([numbers, marks], -1), lengths, inside, total, before.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    model = Reader()
    x, lengths, *_ = batch_of(rng)
    params = model.init(jax.random.key(options.seed), x, lengths)
    optimiser = optax.rmsprop(3e-3)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, x, lengths, inside, total, before):
        def loss_of(params):
            sums, copies = model.apply(params, x, lengths)
            wrong = jnp.where(inside, (copies - before) ** 2, 0).sum() / inside.sum()
            return ((sums - total) ** 2).mean() + wrong

        loss, gradient = jax.value_and_grad(loss_of)(params)
        update, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, update), state, loss

    for i in range(options.steps):
        params, state, loss = step(params, state, *batch_of(rng))
        print(f"step {i:4d}  loss {loss:.7f}")


if __name__ == "__main__":
    main()
