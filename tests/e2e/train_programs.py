# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training programs as people write them: a state, a function that makes it, a train step.

PROGRAMS maps names to Program. A train step is train(state, *batch) -> (state, results): results
has "loss", and under "exact" what has to be equal bit for bit to JAX's (dropout masks, random
bits). evaluate(state, ...) takes the first parts of a batch. Sizes are those that a check can
afford.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

State = dict[str, Any]
Batch = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Program:
    """model: for its name. init: seed words -> state. batches: endless, the same each time.

    evaluate takes the state and the first `eval_inputs` parts of a batch.
    """

    model: nn.Module
    init: Callable[[jax.Array], State]
    train: Callable[..., tuple[State, dict[str, Any]]]
    batches: Callable[[], Iterator[Batch]]
    evaluate: Callable[..., Any]
    eval_inputs: int = 1


def seed_words(seed: int) -> np.ndarray:
    """A key as the program takes it."""
    return np.asarray(jax.random.key_data(jax.random.key(seed)))


def descend(
    tx: optax.GradientTransformation, state: State, loss: Callable[[Any], tuple[jax.Array, Any]]
) -> tuple[State, jax.Array, Any]:
    """One step of `tx` on state["params"]; the loss and what came with it."""
    (value, aux), grads = jax.value_and_grad(loss, has_aux=True)(state["params"])
    updates, opt_state = tx.update(grads, state["opt_state"], state["params"])
    params = optax.apply_updates(state["params"], updates)
    return {**state, "params": params, "opt_state": opt_state}, value, aux


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean over the batch, by one-hot products."""
    chosen = jax.nn.one_hot(labels, logits.shape[-1])
    return -(chosen * jax.nn.log_softmax(logits)).sum(-1).mean()


def apply_all(model: nn.Module) -> Callable[..., Any]:
    """Inference by the collections that the state has."""

    def evaluate(state: State, *inputs: jax.Array) -> Any:
        return model.apply({k: state[k] for k in ("params", "batch_stats") if k in state}, *inputs)

    return evaluate


# --- state that moves about: what may and what may not be computed in place ------------------------
class Moves(nn.Module):
    """For its name."""


def moves() -> Program:
    def init(seed: jax.Array) -> State:
        def numbers(*shape: int) -> jax.Array:
            return jnp.arange(np.prod(shape), dtype=jnp.int32).reshape(shape)

        return {
            "params": {"w": jnp.ones(3)},
            "left": numbers(5, 7),
            "right": -numbers(5, 7),
            "kept": numbers(9),
            "turned": numbers(4, 6),
            "sums": numbers(6),
            "count": numbers(),
        }

    def train(state: State, x: jax.Array) -> tuple[State, dict[str, Any]]:
        new = {
            "params": {"w": state["params"]["w"] * 0.5},
            "left": state["right"],
            "right": state["left"] + 1,
            "kept": state["kept"],
            "turned": state["turned"][::-1],
            "sums": state["sums"] + state["turned"].sum(0),
            "count": state["count"] + 1,
        }
        old = {"old": state["sums"], "same": new["sums"], "kept": state["kept"]}
        return new, {"loss": (x * state["params"]["w"]).sum(), "exact": old}

    def batches() -> Iterator[Batch]:
        rng = np.random.default_rng(1)
        while True:
            yield (rng.standard_normal((8, 3)).astype(np.float32),)

    def evaluate(state: State, x: jax.Array) -> Any:
        return {key: state[key].T for key in ("turned", "left", "count")}, x.sum()

    return Program(Moves(), init, train, batches, evaluate)


# --- multi-layer perceptron: the smallest ---------------------------------------------------------
class MLP(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(10)(nn.relu(nn.Dense(32)(x)))


def mlp() -> Program:
    model, tx = MLP(), optax.sgd(0.1, momentum=0.9)

    def init(seed: jax.Array) -> State:
        params = model.init(jax.random.wrap_key_data(seed), jnp.zeros((1, 64)))["params"]
        return {"params": params, "opt_state": tx.init(params)}

    def train(state: State, x: jax.Array, y: jax.Array) -> tuple[State, dict[str, Any]]:
        def loss(params: Any) -> tuple[jax.Array, None]:
            return cross_entropy(model.apply({"params": params}, x), y), None

        state, value, _ = descend(tx, state, loss)
        return state, {"loss": value}

    return Program(
        model,
        init,
        train,
        lambda: ((x.reshape(len(x), -1), y) for x, y in digits_batches(32)),
        apply_all(model),
    )


# --- digits CNN: Adam, BatchNorm, dropout ---------------------------------------------------------
def digits_batches(batch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """scikit-learn's digits, shuffled anew each epoch."""
    from digits import load

    data = load(0)
    shuffle = np.random.default_rng(0)
    while True:
        order = shuffle.permutation(len(data.train_images))
        for i in range(len(order) // batch):
            pick = order[i * batch : (i + 1) * batch]
            yield data.train_images[pick], data.train_labels[pick]


class DigitsNet(nn.Module):
    """Convolutions with BatchNorm, dropout before the last layer; the mask is sown."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        for width in (16, 32):
            x = nn.Conv(width, (3, 3), use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(64)(x.reshape(x.shape[0], -1)))
        mask = nn.Dropout(0.25, deterministic=not train)(jnp.ones_like(x))
        self.sow("intermediates", "mask", mask > 0)
        return nn.Dense(10)(x * mask)


def digits_cnn() -> Program:
    model = DigitsNet()
    tx = optax.adam(optax.cosine_decay_schedule(3e-3, 330))

    def init(seed: jax.Array) -> State:
        key, rng = jax.random.split(jax.random.wrap_key_data(seed))
        variables = model.init(key, jnp.zeros((1, 8, 8, 1)))
        return {
            "params": variables["params"],
            "batch_stats": variables["batch_stats"],
            "opt_state": tx.init(variables["params"]),
            "rng": jax.random.key_data(rng),
        }

    def train(state: State, x: jax.Array, y: jax.Array) -> tuple[State, dict[str, Any]]:
        rng, use = jax.random.split(jax.random.wrap_key_data(state["rng"]))

        def loss(params: Any) -> tuple[jax.Array, Any]:
            logits, new = model.apply(
                {"params": params, "batch_stats": state["batch_stats"]},
                x,
                train=True,
                mutable=["batch_stats", "intermediates"],
                rngs={"dropout": use},
            )
            return cross_entropy(logits, y), new

        state, value, new = descend(tx, state, loss)
        state = {**state, "batch_stats": new["batch_stats"], "rng": jax.random.key_data(rng)}
        return state, {"loss": value, "exact": {"mask": new["intermediates"]["mask"][0]}}

    return Program(model, init, train, lambda: digits_batches(64), apply_all(model))


# --- ResNet-18 on small images --------------------------------------------------------------------
class BasicBlock(nn.Module):
    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        def norm(y: jax.Array) -> jax.Array:
            return nn.BatchNorm(use_running_average=not train, momentum=0.9)(y)

        y = nn.Conv(self.width, (3, 3), self.stride, use_bias=False)(x)
        y = norm(nn.Conv(self.width, (3, 3), use_bias=False)(nn.relu(norm(y))))
        if x.shape != y.shape:
            x = norm(nn.Conv(self.width, (1, 1), self.stride, use_bias=False)(x))
        return nn.relu(x + y)


class ResNet18(nn.Module):
    width: int = 8

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = nn.Conv(self.width, (3, 3), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        for i in range(4):
            for j in range(2):
                x = BasicBlock(self.width << i, 2 if i and not j else 1)(x, train)
        return nn.Dense(10)(x.mean((1, 2)))


def resnet18() -> Program:
    model, tx = ResNet18(), optax.sgd(0.05, momentum=0.9)

    def init(seed: jax.Array) -> State:
        variables = model.init(jax.random.wrap_key_data(seed), jnp.zeros((1, 16, 16, 3)))
        return {**variables, "opt_state": tx.init(variables["params"])}

    def train(state: State, x: jax.Array, y: jax.Array) -> tuple[State, dict[str, Any]]:
        def loss(params: Any) -> tuple[jax.Array, Any]:
            variables = {"params": params, "batch_stats": state["batch_stats"]}
            logits, new = model.apply(variables, x, train=True, mutable=["batch_stats"])
            return cross_entropy(logits, y), new["batch_stats"]

        state, value, stats = descend(tx, state, loss)
        return {**state, "batch_stats": stats}, {"loss": value}

    return Program(model, init, train, lambda: image_batches(8, 16), apply_all(model))


def image_batches(batch: int, size: int) -> Iterator[Batch]:
    """Noise round one pattern a class."""
    rng = np.random.default_rng(3)
    patterns = rng.standard_normal((10, size, size, 3)).astype(np.float32)
    while True:
        labels = rng.integers(0, 10, batch).astype(np.int32)
        noise = rng.standard_normal((batch, size, size, 3)).astype(np.float32)
        yield patterns[labels] + np.float32(0.5) * noise, labels


# --- LSTM -----------------------------------------------------------------------------------------
class SequenceModel(nn.Module):
    vocabulary: int = 24
    width: int = 16

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = nn.Embed(self.vocabulary, self.width)(tokens)
        x = nn.RNN(nn.LSTMCell(self.width))(x)
        return nn.Dense(self.vocabulary)(x)


def token_batches(batch: int, length: int, vocabulary: int) -> Iterator[Batch]:
    """Counting in steps of 1 to 3, from anywhere."""
    rng = np.random.default_rng(4)
    while True:
        start = rng.integers(0, vocabulary, (batch, 1))
        step = rng.integers(1, 4, (batch, 1))
        yield (((start + step * np.arange(length + 1)) % vocabulary).astype(np.int32),)


def next_token_program(
    model: nn.Module, tx: optax.GradientTransformation, batch: int, length: int, vocabulary: int
) -> Program:
    """A model that predicts token t + 1 from those up to t."""

    def init(seed: jax.Array) -> State:
        tokens = jnp.zeros((1, length + 1), jnp.int32)
        params = model.init(jax.random.wrap_key_data(seed), tokens)["params"]
        return {"params": params, "opt_state": tx.init(params)}

    def train(state: State, tokens: jax.Array) -> tuple[State, dict[str, Any]]:
        def loss(params: Any) -> tuple[jax.Array, None]:
            logits = model.apply({"params": params}, tokens)
            return cross_entropy(logits[:, :-1], tokens[:, 1:]), None

        state, value, _ = descend(tx, state, loss)
        return state, {"loss": value}

    return Program(
        model, init, train, lambda: token_batches(batch, length, vocabulary), apply_all(model)
    )


def lstm() -> Program:
    return next_token_program(SequenceModel(), optax.adam(1e-2), 8, 12, 24)


# --- transformer ----------------------------------------------------------------------------------
class Block(nn.Module):
    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        mask = nn.make_causal_mask(x[..., 0])
        x = x + nn.MultiHeadDotProductAttention(self.heads)(nn.LayerNorm()(x), mask=mask)
        return x + nn.Dense(width)(nn.gelu(nn.Dense(4 * width)(nn.LayerNorm()(x))))


class Transformer(nn.Module):
    vocabulary: int = 24
    width: int = 32
    layers: int = 2
    heads: int = 4

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        place = self.param("place", nn.initializers.normal(0.02), (tokens.shape[1], self.width))
        x = nn.Embed(self.vocabulary, self.width)(tokens) + place
        for _ in range(self.layers):
            x = Block(self.heads)(x)
        return nn.Dense(self.vocabulary)(nn.LayerNorm()(x))


def transformer() -> Program:
    return next_token_program(Transformer(), optax.adamw(3e-3), 8, 15, 24)


# --- variational autoencoder ----------------------------------------------------------------------
class VAE(nn.Module):
    latent: int = 4
    pixels: int = 64

    def setup(self) -> None:
        self.hidden, self.back = nn.Dense(64), nn.Dense(64)
        self.mean, self.spread = nn.Dense(self.latent), nn.Dense(self.latent)
        self.out = nn.Dense(self.pixels)

    def encode(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = nn.relu(self.hidden(x))
        return self.mean(h), self.spread(h)

    def decode(self, z: jax.Array) -> jax.Array:
        return self.out(nn.relu(self.back(z)))

    def reconstruct(self, x: jax.Array) -> jax.Array:
        return self.decode(self.encode(x)[0])

    def __call__(self, x: jax.Array, key: jax.Array) -> tuple[jax.Array, ...]:
        mean, spread = self.encode(x)
        noise = jax.random.normal(key, mean.shape)
        return self.decode(mean + jnp.exp(0.5 * spread) * noise), mean, spread


def vae() -> Program:
    model, tx = VAE(), optax.adam(1e-3)

    def init(seed: jax.Array) -> State:
        key, rng = jax.random.split(jax.random.wrap_key_data(seed))
        params = model.init(key, jnp.zeros((1, 64)), key)["params"]
        return {"params": params, "opt_state": tx.init(params), "rng": jax.random.key_data(rng)}

    def train(state: State, x: jax.Array) -> tuple[State, dict[str, Any]]:
        rng, use = jax.random.split(jax.random.wrap_key_data(state["rng"]))

        def loss(params: Any) -> tuple[jax.Array, None]:
            out, mean, spread = model.apply({"params": params}, x, use)
            fit = jnp.square(out - x).sum(-1)
            penalty = 0.5 * (jnp.exp(spread) + jnp.square(mean) - 1.0 - spread).sum(-1)
            return (fit + penalty).mean(), None

        state, value, _ = descend(tx, state, loss)
        bits = jax.random.bits(use, (16,))
        state = {**state, "rng": jax.random.key_data(rng)}
        return state, {"loss": value, "exact": {"bits": bits}}

    def evaluate(state: State, x: jax.Array) -> jax.Array:
        return model.apply({"params": state["params"]}, x, method="reconstruct")

    def batches() -> Iterator[Batch]:
        return ((x.reshape(len(x), -1),) for x, _ in digits_batches(32))

    return Program(model, init, train, batches, evaluate)


# --- graph network --------------------------------------------------------------------------------
class GraphNet(nn.Module):
    width: int = 16
    classes: int = 4

    @nn.compact
    def __call__(self, nodes: jax.Array, senders: jax.Array, receivers: jax.Array) -> jax.Array:
        for _ in range(2):
            messages = nn.relu(nn.Dense(self.width)(nodes))[senders]
            gathered = jax.ops.segment_sum(messages, receivers, num_segments=nodes.shape[0])
            nodes = nn.relu(nn.Dense(self.width)(jnp.concatenate([nodes, gathered], -1)))
        return nn.Dense(self.classes)(nodes)


def graph_batches(count: int, edges: int, features: int) -> Iterator[Batch]:
    rng = np.random.default_rng(5)
    while True:
        labels = rng.integers(0, 4, count).astype(np.int32)
        nodes = rng.standard_normal((count, features)).astype(np.float32)
        nodes[np.arange(count), labels] += 2.0
        ends = rng.integers(0, count, (2, edges)).astype(np.int32)
        yield nodes, ends[0], ends[1], labels


def gnn() -> Program:
    model, tx = GraphNet(), optax.adam(1e-2)

    def init(seed: jax.Array) -> State:
        edges = jnp.zeros(8, jnp.int32)
        key = jax.random.wrap_key_data(seed)
        params = model.init(key, jnp.zeros((4, 8)), edges, edges)["params"]
        return {"params": params, "opt_state": tx.init(params)}

    def train(
        state: State,
        nodes: jax.Array,
        senders: jax.Array,
        receivers: jax.Array,
        labels: jax.Array,
    ) -> tuple[State, dict[str, Any]]:
        def loss(params: Any) -> tuple[jax.Array, None]:
            logits = model.apply({"params": params}, nodes, senders, receivers)
            return cross_entropy(logits, labels), None

        state, value, _ = descend(tx, state, loss)
        return state, {"loss": value}

    return Program(model, init, train, lambda: graph_batches(24, 64, 8), apply_all(model), 3)


PROGRAMS: dict[str, Callable[[], Program]] = {
    "moves": moves,
    "mlp": mlp,
    "digits_cnn": digits_cnn,
    "resnet18": resnet18,
    "lstm": lstm,
    "transformer": transformer,
    "vae": vae,
    "gnn": gnn,
}
