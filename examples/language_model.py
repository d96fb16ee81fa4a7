# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train a character-level transformer on the GNU General Public License.

    python examples/language_model.py [--steps N] [--seed N] [--text FILE]

The text lies on every Debian machine. Two pre-norm blocks of width 96 with four heads, a context
of 64 characters, AdamW with a warm-up, cosine decay and clipped gradients. Ends with the loss on
the last tenth of the text, which it was not trained on, in bits a character.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

TEXT = Path("/usr/share/common-licenses/GPL-3")
CONTEXT, BATCH = 64, 16


class Block(nn.Module):
    """One transformer block: attention to what came before, then two dense layers."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        mask = nn.make_causal_mask(x[..., 0])
        x = x + nn.SelfAttention(self.heads)(nn.LayerNorm()(x), mask)
        hidden = nn.gelu(nn.Dense(4 * width)(nn.LayerNorm()(x)))
        return x + nn.Dense(width)(hidden)


class LanguageModel(nn.Module):
    """Characters [n, t] -> logits of the character after each, [n, t, characters]."""

    characters: int
    width: int = 96
    heads: int = 4
    blocks: int = 2

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        place = self.param("place", nn.initializers.normal(0.02), (CONTEXT, self.width))
        x = nn.Embed(self.characters, self.width)(tokens) + place[: tokens.shape[1]]
        for _ in range(self.blocks):
            x = Block(self.heads)(x)
        return nn.Dense(self.characters)(nn.LayerNorm()(x))


def load(path: Path) -> tuple[np.ndarray, str]:
    """The text as numbers, and what character each number is."""
    text = path.read_text()
    alphabet = "".join(sorted(set(text)))
    return np.array([alphabet.index(c) for c in text], np.int32), alphabet


def windows(tokens: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """CONTEXT characters and the one after them, from each start."""
    return np.stack([tokens[s : s + CONTEXT + 1] for s in starts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches")
    parser.add_argument("--text", type=Path, default=TEXT)
    options = parser.parse_args()
    tokens, alphabet = load(options.text)
    cut = len(tokens) * 9 // 10
    train, test = tokens[:cut], tokens[cut:]
    model = LanguageModel(len(alphabet))
    params = model.init(jax.random.key(options.seed), jnp.zeros((1, CONTEXT), jnp.int32))
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, 4e-3, min(20, options.steps // 2), options.steps, 4e-4
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule))
    state = optimiser.init(params)

    def loss_of(params, batch):
        logits = model.apply(params, batch[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[:, 1:]).mean()

    @jax.jit
    def step(params, state, batch):
        loss, gradient = jax.value_and_grad(loss_of)(params, batch)
        update, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, update), state, loss

    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        batch = windows(train, pick.integers(0, len(train) - CONTEXT, BATCH))
        params, state, loss = step(params, state, batch)
        print(f"step {i:4d}  loss {loss:.7f}")
    whole = windows(test, np.arange(0, len(test) - CONTEXT, CONTEXT))
    bits = jax.jit(loss_of)(params, whole) / np.log(2)
    print(f"bits a character {bits:.4f}")


if __name__ == "__main__":
    main()
