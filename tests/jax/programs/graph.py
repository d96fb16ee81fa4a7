# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A graph network: messages along edges, jax.ops.segment_sum and segment_max, graphs of any size."""

from __future__ import annotations

import argparse
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

GRAPHS, NODES, EDGES = 8, 96, 320


class Graphs(NamedTuple):
    nodes: np.ndarray  # f32 [NODES, 3]
    sender: np.ndarray  # i32 [EDGES]
    receiver: np.ndarray
    graph: np.ndarray  # i32 [NODES], which graph a node is of, sorted


class Layer(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x: jax.Array, g: Graphs) -> jax.Array:
        ends = jnp.concatenate([x[g.sender], x[g.receiver]], axis=-1)
        message = nn.swish(nn.Dense(self.features)(ends))
        gate = nn.Dense(1)(message)[:, 0]
        top = jax.ops.segment_max(gate, g.receiver, NODES)
        weight = jnp.exp(gate - top[g.receiver])
        whole = jax.ops.segment_sum(weight, g.receiver, NODES)
        share = weight / whole[g.receiver]
        taken = jax.ops.segment_sum(message * share[:, None], g.receiver, NODES)
        return nn.LayerNorm()(x + nn.Dense(self.features)(taken))


class Network(nn.Module):
    @nn.compact
    def __call__(self, g: Graphs) -> jax.Array:
        x = nn.Dense(24)(g.nodes)
        for _ in range(3):
            x = Layer(24)(x, g)
        total = jax.ops.segment_sum(x, g.graph, GRAPHS, indices_are_sorted=True)
        return nn.Dense(1)(nn.relu(nn.Dense(24)(total)))[:, 0]


def batch_of(rng: np.random.Generator) -> tuple[Graphs, np.ndarray]:
    """Random graphs, and of each the mean over its edges of the ends' product."""
    graph = np.sort(rng.integers(0, GRAPHS, NODES)).astype(np.int32)
    nodes = rng.normal(size=(NODES, 3)).astype(np.float32)
    sender = rng.integers(0, NODES, EDGES).astype(np.int32)
    same = [np.flatnonzero(graph == graph[s]) for s in sender]
    receiver = np.array([rng.choice(s) for s in same], np.int32)
    product = (nodes[sender] * nodes[receiver]).sum(-1)
    target = np.bincount(graph[sender], product, GRAPHS)
    count = np.maximum(np.bincount(graph[sender], minlength=GRAPHS), 1)
    return Graphs(nodes, sender, receiver, graph), (target / count).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    model = Network()
    params = model.init(jax.random.key(options.seed), batch_of(rng)[0])
    optimiser = optax.adam(3e-3)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, g, target):
        loss, gradient = jax.value_and_grad(
            lambda p: optax.huber_loss(model.apply(p, g), target).mean()
        )(params)
        update, state = optimiser.update(gradient, state)
        return optax.apply_updates(params, update), state, loss

    for i in range(options.steps):
        params, state, loss = step(params, state, *batch_of(rng))
        print(f"step {i:4d}  loss {loss:.7f}")


if __name__ == "__main__":
    main()
