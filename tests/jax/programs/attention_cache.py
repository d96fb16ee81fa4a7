# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A decoder of two blocks: what it says with a cache, step by step, is what it says at once."""

from __future__ import annotations

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

WORDS, WIDTH, LENGTH, BATCH = 61, 32, 24, 3


class Block(nn.Module):
    decode: bool

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        attention = nn.MultiHeadDotProductAttention(4, decode=self.decode)
        normal = nn.LayerNorm()(x)
        x = x + attention(normal, mask=mask)
        hidden = nn.silu(nn.Dense(2 * WIDTH)(nn.RMSNorm()(x)))
        return x + nn.Dense(WIDTH)(hidden)


class Decoder(nn.Module):
    decode: bool = False

    @nn.compact
    def __call__(self, words: jax.Array) -> jax.Array:
        embed = nn.Embed(WORDS, WIDTH)
        if self.decode:
            index = self.variable("cache", "index", lambda: jnp.zeros((), jnp.int32))
            places = index.value[None]
            if not self.is_initializing():
                index.value = index.value + 1
            mask = None
        else:
            places = jnp.arange(words.shape[1])
            mask = nn.make_causal_mask(words)
        x = embed(words) + nn.Embed(LENGTH, WIDTH)(places)
        for _ in range(2):
            x = Block(self.decode)(x, mask)
        return embed.attend(nn.LayerNorm()(x))


@jax.jit
def at_once(params: dict, words: jax.Array) -> jax.Array:
    return Decoder().apply({"params": params}, words)


def step(params: dict, cache: dict, words: jax.Array) -> tuple[jax.Array, dict]:
    logits, changed = Decoder(decode=True).apply(
        {"params": params, "cache": cache}, words, mutable=["cache"]
    )
    return logits[:, -1], changed["cache"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    first, second = jax.random.split(jax.random.key(options.seed))
    model = Decoder(decode=True)
    variables = model.init(first, jnp.zeros((BATCH, LENGTH), jnp.int32))
    params, cache = variables["params"], variables["cache"]

    take = jax.jit(step, donate_argnums=1)
    words = jax.random.randint(second, (BATCH, LENGTH), 0, WORDS)
    said = []
    for i in range(LENGTH):
        row, cache = take(params, cache, words[:, i : i + 1])
        said.append(row)
    whole = np.asarray(at_once(params, words))
    apart = np.abs(whole - np.stack(said, 1)).max()
    assert apart < 1e-4, f"with a cache the logits are {apart} off"
    for row in whole.argmax(-1):
        print("tokens", " ".join(str(word) for word in row))
    for i, row in enumerate(whole[0]):
        print(f"value logit{i} {row.max():.9g}")
        print(f"value spread{i} {row.std():.9g}")


if __name__ == "__main__":
    main()
