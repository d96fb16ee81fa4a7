# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sample text from a decoder with a cache, all characters in one loop on the device.

    python examples/sampler.py [--steps N] [--seed N] [--length N] [--text FILE]

A small transformer learns the GNU General Public License for some steps; then it continues a
prompt. Keys and values of what was said lie in the linen collection "cache", which is the loop's
state together with the last character and the random key; one lax.scan draws every character.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

TEXT = Path("/usr/share/common-licenses/GPL-3")
CONTEXT, BATCH = 48, 16
LIMIT = 192  # characters of prompt and answer, which the cache holds
PROMPT = "The license "
TEMPERATURE = 0.7


class Decoder(nn.Module):
    """Characters [n, t] -> logits [n, t, characters]; with decode, t is 1 and the cache grows.

    There is no encoding of positions: only what came before tells one character from the next.
    """

    characters: int
    width: int = 64
    heads: int = 4
    blocks: int = 2
    decode: bool = False

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = nn.Embed(self.characters, self.width)(tokens)
        mask = None if self.decode else nn.make_causal_mask(tokens)
        for _ in range(self.blocks):
            attention = nn.SelfAttention(self.heads, decode=self.decode)
            x = x + attention(nn.LayerNorm()(x), mask)
            hidden = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
            x = x + nn.Dense(self.width)(hidden)
        return nn.Dense(self.characters)(nn.LayerNorm()(x))


def train(model: Decoder, tokens: np.ndarray, steps: int, seed: int) -> dict:
    """Cross-entropy of the next character, Adam."""
    params = model.init(jax.random.key(seed), jnp.zeros((1, CONTEXT), jnp.int32))["params"]
    optimiser = optax.adam(optax.cosine_decay_schedule(5e-3, steps, 0.1))
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, batch):
        def loss_of(params):
            logits = model.apply({"params": params}, batch[:, :-1])
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch[:, 1:]).mean()

        loss, gradient = jax.value_and_grad(loss_of)(params)
        update, state = optimiser.update(gradient, state)
        return optax.apply_updates(params, update), state, loss

    pick = np.random.default_rng(seed)
    for i in range(steps):
        starts = pick.integers(0, len(tokens) - CONTEXT, BATCH)
        batch = np.stack([tokens[s : s + CONTEXT + 1] for s in starts])
        params, state, loss = step(params, state, batch)
        print(f"step {i:4d}  loss {loss:.7f}")
    return params


def sample(model: Decoder, params: dict, prompt: jax.Array, length: int, key: jax.Array):
    """The prompt, and what follows: int32 [length]. One loop for both."""
    model = model.clone(decode=True)
    shape = jax.ShapeDtypeStruct((1, LIMIT), jnp.int32)
    blank = jax.eval_shape(model.init, jax.random.key(0), shape)["cache"]
    cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), blank)

    def say(carry, i):
        cache, token, key = carry
        logits, changed = model.apply(
            {"params": params, "cache": cache}, token[None, None], mutable=["cache"]
        )
        key, draw = jax.random.split(key)
        drawn = jax.random.categorical(draw, logits[0, 0] / TEMPERATURE).astype(jnp.int32)
        given = prompt[jnp.minimum(i + 1, len(prompt) - 1)]
        token = jnp.where(i + 1 < len(prompt), given, drawn)
        return (changed["cache"], token, key), token

    _, said = lax.scan(say, (cache, prompt[0], key), jnp.arange(length - 1))
    return jnp.concatenate([prompt[:1], said])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="of training")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and drawing")
    parser.add_argument("--length", type=int, default=160, help="characters, at most 192")
    parser.add_argument("--text", type=Path, default=TEXT)
    options = parser.parse_args()
    if not len(PROMPT) < options.length <= LIMIT:
        parser.error(f"--length {options.length} is not between {len(PROMPT) + 1} and {LIMIT}")
    text = options.text.read_text()
    alphabet = "".join(sorted(set(text + PROMPT)))
    tokens = np.array([alphabet.index(c) for c in text], np.int32)
    model = Decoder(len(alphabet))
    params = train(model, tokens, options.steps, options.seed)
    prompt = jnp.array([alphabet.index(c) for c in PROMPT], jnp.int32)
    draw = jax.jit(sample, static_argnums=(0, 3))
    said = draw(model, params, prompt, options.length, jax.random.key(options.seed + 1))
    print("".join(alphabet[t] for t in np.asarray(said)))


if __name__ == "__main__":
    main()
