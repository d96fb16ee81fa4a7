# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks that decide as they run: loops that data end, branches, places known at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

Inputs = tuple[Any, ...]


def largest(logits: jax.Array) -> jax.Array:
    """The lowest index of the largest, by operations that every release has."""
    places = jnp.arange(logits.shape[-1], dtype=jnp.int32)
    return jnp.where(logits == logits.max(-1, keepdims=True), places, logits.shape[-1]).min(-1)


class CachedLayer(nn.Module):
    """A transformer's layer for one token: keys and values of those before are in the cache."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array, values: jax.Array, at: jax.Array) -> Any:
        width = x.shape[-1]
        y = nn.LayerNorm()(x)
        q, k, v = jnp.split(nn.Dense(3 * width)(y).reshape(3 * self.heads, -1), 3)
        keys = jax.lax.dynamic_update_slice(keys, k[None], (at, 0, 0))
        values = jax.lax.dynamic_update_slice(values, v[None], (at, 0, 0))
        scores = jnp.einsum("hd,thd->ht", q, keys) / np.sqrt(q.shape[-1])
        seen = jnp.arange(keys.shape[0], dtype=jnp.int32) <= at
        weights = nn.softmax(jnp.where(seen, scores, -1e9))
        x = x + nn.Dense(width)(jnp.einsum("ht,thd->hd", weights, values).reshape(1, width))
        y = nn.Dense(4 * width)(nn.LayerNorm()(x))
        return x + nn.Dense(width)(nn.gelu(y)), keys, values


class Sampler(nn.Module):
    """GPT that goes on from a prompt until a token ends the text: one loop, its caches in place."""

    vocabulary: int = 60
    width: int = 32
    layers: int = 2
    heads: int = 2
    length: int = 24
    end: int = 0

    def setup(self) -> None:
        self.tokens = self.param(
            "tokens", nn.initializers.normal(1.0), (self.vocabulary, self.width)
        )
        self.places = self.param(
            "places", nn.initializers.normal(1.0), (self.length, self.width)
        )
        self.blocks = [CachedLayer(self.heads) for _ in range(self.layers)]
        self.norm = nn.LayerNorm()

    def step(self, token: jax.Array, at: jax.Array, caches: Any) -> Any:
        x = self.tokens[token][None] + self.places[at][None]
        after = []
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            x, keys, values = block(x, keys, values, at)
            after.append((keys, values))
        return (self.norm(x) @ self.tokens.T)[0], after

    def __call__(self, prompt: jax.Array) -> Any:
        shape = (self.length, self.heads, self.width // self.heads)
        caches = [(jnp.zeros(shape), jnp.zeros(shape)) for _ in range(self.layers)]
        text = jnp.pad(prompt, (0, self.length - prompt.shape[0]))
        if self.is_initializing():  # parameters cannot be made inside of a loop
            return self.step(prompt[0], jnp.int32(0), caches)

        module, weights = self.unbind()  # a loop's body binds them anew

        def more(state: Any) -> jax.Array:
            at, token, *_ = state
            return (at < self.length - 1) & ((token != self.end) | (at < prompt.shape[0]))

        def body(state: Any) -> Any:
            at, token, text, caches, _ = state
            logits, caches = module.apply(weights, token, at, caches, method="step")
            at = at + 1
            token = jnp.where(at < prompt.shape[0], text[at], largest(logits))
            text = jax.lax.dynamic_update_slice(text, token[None], (at,))
            return at, token, text, caches, logits

        state = (jnp.int32(0), prompt[0], text, caches, jnp.zeros((self.vocabulary,)))
        at, _, text, _, logits = jax.lax.while_loop(more, body, state)
        return at, text, logits


class TopKSampler(Sampler):
    """The same, but each token is drawn from the most probable ones."""

    length: int = 68
    few: int = 8

    def draw(self, logits: jax.Array, key: jax.Array, at: jax.Array) -> jax.Array:
        best, tokens = jax.lax.top_k(logits / 0.8, self.few)
        return tokens[jax.random.categorical(jax.random.fold_in(key, at), best)]

    def __call__(self, prompt: jax.Array, key: jax.Array) -> Any:
        shape = (self.length, self.heads, self.width // self.heads)
        caches = [(jnp.zeros(shape), jnp.zeros(shape)) for _ in range(self.layers)]
        text = jnp.pad(prompt, (0, self.length - prompt.shape[0]))
        if self.is_initializing():
            return self.step(prompt[0], jnp.int32(0), caches)
        module, weights = self.unbind()

        def body(at: jax.Array, state: Any) -> Any:
            token, text, caches = state
            logits, caches = module.apply(weights, token, at, caches, method="step")
            drawn = self.draw(logits, key, at)
            at = at + 1
            token = jnp.where(at < prompt.shape[0], text[at], drawn)
            return token, jax.lax.dynamic_update_slice(text, token[None], (at,)), caches

        _, text, _ = jax.lax.fori_loop(0, self.length - 1, body, (prompt[0], text, caches))
        return text


class BeamSearch(nn.Module):
    """Sequence to sequence: the most probable of what several beams go on with, in one loop."""

    vocabulary: int = 40
    width: int = 32
    beams: int = 4
    length: int = 12
    end: int = 0

    def setup(self) -> None:
        self.embed = nn.Embed(self.vocabulary, self.width)
        self.reader = nn.RNN(nn.GRUCell(self.width))
        self.writer = nn.GRUCell(self.width)
        self.answer = nn.Dense(self.vocabulary)

    def step(self, tokens: jax.Array, hidden: jax.Array, source: jax.Array) -> Any:
        hidden, y = self.writer(hidden, self.embed(tokens))
        seen = nn.softmax(y @ source.T) @ source
        return hidden, nn.log_softmax(self.answer(jnp.concatenate([y, seen], -1)))

    def __call__(self, source: jax.Array) -> Any:
        read = self.reader(self.embed(source)[None])[0]
        hidden = jnp.tile(read[-1:], (self.beams, 1))
        tokens = jnp.full((self.beams,), 1, jnp.int32)
        if self.is_initializing():
            return self.step(tokens, hidden, read)
        module, weights = self.unbind()
        numbers = jnp.arange(self.vocabulary, dtype=jnp.int32)
        stays = jnp.where(numbers == self.end, 0.0, -1e9)

        def more(state: Any) -> jax.Array:
            at, tokens, *_ = state
            return (at < self.length) & (tokens != self.end).any()

        def body(state: Any) -> Any:
            at, tokens, scores, texts, hidden = state
            ended = (tokens == self.end) & (at > 0)
            hidden, each = module.apply(weights, tokens, hidden, read, method="step")
            total = scores[:, None] + jnp.where(ended[:, None], stays, each)
            scores, picked = jax.lax.top_k(total.reshape(-1), self.beams)
            beams, tokens = picked // self.vocabulary, picked % self.vocabulary
            texts = jax.lax.dynamic_update_slice(texts[beams], tokens[:, None], (0, at))
            return at + 1, tokens, scores, texts, hidden[beams]

        # At first all beams are the same: one of them counts.
        scores = jnp.where(jnp.arange(self.beams) == 0, 0.0, -1e9)
        texts = jnp.zeros((self.beams, self.length), jnp.int32)
        state = (jnp.int32(0), tokens, scores, texts, hidden)
        at, _, scores, texts, _ = jax.lax.while_loop(more, body, state)
        return at, scores, texts


class Trimmed(nn.Module):
    """A layer until it stands still, less the mean of what lies in the middle: a sort in a loop
    that data end."""

    width: int = 24
    cut: int = 5

    @nn.compact
    def __call__(self, x: jax.Array) -> Any:
        w = self.param("w", nn.initializers.normal(0.1), (self.width, self.width))

        def more(state: Any) -> jax.Array:
            at, _, moved = state
            return (at < 12) & (moved > 1e-2)

        def body(state: Any) -> Any:
            at, h, _ = state
            y = jnp.tanh(h @ w + x)
            middle = jnp.sort(y, axis=-1)[:, self.cut : -self.cut]
            y = y - middle.mean(-1, keepdims=True)
            return at + 1, y, jnp.abs(y - h).max()

        return jax.lax.while_loop(more, body, (jnp.int32(0), x, jnp.float32(1)))


class NestedScan(nn.Module):
    """Layers by one scan over stacked weights, each a scan over time."""

    width: int = 24
    layers: int = 5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.layers, self.width, self.width)
        inner = self.param("inner", nn.initializers.normal(0.1), shape)
        outer = self.param("outer", nn.initializers.normal(0.1), shape)

        def layer(x: jax.Array, weights: Any) -> Any:
            def step(h: jax.Array, row: jax.Array) -> Any:
                h = jnp.tanh(h @ weights[0] + row @ weights[1])
                return h, h

            h, y = jax.lax.scan(step, jnp.zeros(x.shape[1:]), x)
            return x + y, h

        return jax.lax.scan(layer, x, (inner, outer))


class Skipping(nn.Module):
    """A recurrent cell that a gate lets pass or a branch decays."""

    width: int = 24

    @nn.compact
    def __call__(self, x: jax.Array, gates: jax.Array) -> jax.Array:
        w = self.param("w", nn.initializers.normal(0.2), (self.width, self.width))

        def step(h: jax.Array, now: Any) -> Any:
            row, gate = now
            h = jax.lax.switch(
                gate,
                [lambda h: h * 0.5, lambda h: jnp.tanh(h @ w + row), lambda h: h - row],
                h,
            )
            return h, h

        return jax.lax.scan(step, jnp.zeros((2, self.width)), (x, gates))


class Repeated(nn.Module):
    """A layer as often as an input says."""

    width: int = 24

    @nn.compact
    def __call__(self, x: jax.Array, count: jax.Array) -> jax.Array:
        w = self.param("w", nn.initializers.normal(0.2), (self.width, self.width))
        return jax.lax.fori_loop(0, count.max(), lambda i, h: jnp.tanh(h @ w) + x, x)


class Recurrent(nn.Module):
    """Flax's own RNN over two kinds of cells."""

    width: int = 24

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.RNN(nn.LSTMCell(self.width))(nn.RNN(nn.GRUCell(self.width))(x))


def _rows(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def sampler(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Sampler(), (rng.integers(1, 60, (5,), np.int32),)


def topk_sampler(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return TopKSampler(), (rng.integers(1, 60, (4,), np.int32), np.array([3, 5], np.uint32))


def beam_search(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return BeamSearch(), (rng.integers(1, 40, (9,), np.int32),)


def sort_in_loop(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Trimmed(), (_rows(rng, 3, 24),)


def nested_scan(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return NestedScan(), (_rows(rng, 6, 2, 24),)


def cond_in_scan(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Skipping(), (_rows(rng, 7, 2, 24), np.array([1, 0, 2, 1, 1, 0, 2], np.int32))


def repeated(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Repeated(), (_rows(rng, 2, 24), np.array([3, 7, 5], np.int32))


def rnn_cells(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Recurrent(), (_rows(rng, 2, 6, 24),)


SMALL: dict[str, Callable[[np.random.Generator], tuple[Any, Inputs]]] = {
    "sampler": sampler,
    "topk_sampler": topk_sampler,
    "beam_search": beam_search,
    "sort_in_loop": sort_in_loop,
    "nested_scan": nested_scan,
    "cond_in_scan": cond_in_scan,
    "repeated": repeated,
    "rnn_cells": rnn_cells,
}
