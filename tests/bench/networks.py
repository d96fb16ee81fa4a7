# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks of ./dev bench, without Loom: bundles of them, and JAX's own times.

    networks.py export NAME OUT     OUT/bundle for loomc, OUT/facts.json: bytes of parameters
    networks.py run NAME            reads a line, runs once, prints seconds as JSON
    networks.py compile NAME        reads a line, compiles once from lowered code, prints seconds

Weights and inputs are random. JAX sees the CPUs that its process may use.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from paths import use_checkout

use_checkout()

import control
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import zoo

SEED = 1
TOKENS = 128
Model = tuple[Any, tuple[Any, ...]]  # module or fn(params, *inputs), and inputs


class Turn(control.TopKSampler):
    """What the decoder's loop does for one token."""

    def __call__(self, token: jax.Array, at: jax.Array, caches: Any, key: jax.Array) -> Any:
        logits, caches = self.step(token, at, caches)
        return self.draw(logits, key, at), caches


class Depthwise(nn.Module):
    """A chain of 3x3 depthwise layers, whose maps stay in SRAM."""

    channels: int = 128
    layers: int = 6

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(self.layers):
            x = nn.Conv(self.channels, (3, 3), feature_group_count=self.channels)(x)
        return x


def resnet50(rng: np.random.Generator, dtype: Any) -> Model:
    x = jnp.asarray(rng.standard_normal((1, 224, 224, 3), np.float32)).astype(dtype)
    return zoo.ResNet(dtype=dtype), (x,)


def bert(rng: np.random.Generator, dtype: Any) -> Model:
    ids = rng.integers(0, 30522, (1, TOKENS), np.int32)
    types, mask = np.zeros((1, TOKENS), np.int32), np.ones((1, TOKENS), np.float32)
    return zoo.Bert(dtype=dtype), (ids, types, mask)


DECODER = {"vocabulary": 4096, "width": 512, "layers": 4, "heads": 8, "length": 72}


def decoder(rng: np.random.Generator) -> Model:
    """Tokens drawn from the most probable ones, in one loop with its caches."""
    prompt = rng.integers(0, DECODER["vocabulary"], (8,), np.int32)
    return control.TopKSampler(**DECODER), (prompt, np.array([3, 5], np.uint32))


def decoder_turn(rng: np.random.Generator) -> Model:
    shape = (DECODER["length"], DECODER["heads"], DECODER["width"] // DECODER["heads"])
    caches = [(np.zeros(shape, np.float32),) * 2 for _ in range(DECODER["layers"])]
    return Turn(**DECODER), (np.int32(7), np.int32(5), caches, np.array([3, 5], np.uint32))


def dense(rng: np.random.Generator) -> Model:
    """Batch 1: every weight is used once."""
    return nn.Dense(4096, use_bias=False), (rng.standard_normal((1, 4096), np.float32),)


def lstm(rng: np.random.Generator) -> Model:
    """Weights of 8 MiB, read again in each of 16 steps."""
    return nn.RNN(nn.LSTMCell(512)), (rng.standard_normal((1, 16, 512), np.float32),)


def depthwise(rng: np.random.Generator) -> Model:
    return Depthwise(), (rng.standard_normal((1, 14, 14, 128), np.float32),)


def one_operation(rng: np.random.Generator) -> Model:
    return nn.Dense(64, use_bias=False), (rng.standard_normal((16, 64), np.float32),)


def train_step(rng: np.random.Generator, case: str) -> Model:
    """Loss, gradients, optimiser: a function of the state, a key and a batch."""
    import train  # tests/e2e

    made = train.CASES[case](rng)
    step = train.step_of(made)
    state = train.begin(made, jax.jit(step))
    return step, (state, jax.random.key(SEED), *made.inputs)


def long_step(rng: np.random.Generator) -> Model:
    """The same of a transformer so deep that the step has 10,000 operations."""
    import optax
    import train

    ids = rng.integers(0, 40, (2, 12), np.int32)
    made = train.next_token(train.Transformer(layers=12), ids, optax.adamw(1e-3))
    step = train.step_of(made)
    return step, (train.begin(made, jax.jit(step)), jax.random.key(SEED), *made.inputs)


MODELS: dict[str, Callable[[np.random.Generator], Model]] = {
    "resnet50_f32": partial(resnet50, dtype=jnp.float32),
    "resnet50_bf16": partial(resnet50, dtype=jnp.bfloat16),
    "bert_f32": partial(bert, dtype=jnp.float32),
    "bert_bf16": partial(bert, dtype=jnp.bfloat16),
    "decoder_f32": decoder,
    "decoder_turn_f32": decoder_turn,
    "dense_f32": dense,
    "lstm_f32": lstm,
    "depthwise_f32": depthwise,
    "one_operation": one_operation,
    "cnn_step_f32": partial(train_step, case="digits"),
    "long_step_f32": long_step,
}


def made(name: str) -> tuple[Any, Any, tuple[Any, ...]]:
    """Module, its weights, its inputs."""
    import models  # tests/e2e

    rng = np.random.default_rng(SEED)
    module, inputs = MODELS[name](rng)
    if not isinstance(module, nn.Module):
        return module, None, inputs
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return module, models.drawn(shapes, rng), inputs


def applied(module: Any) -> Callable[..., Any]:
    """fn(params, *inputs), where a plain function has no parameters of its own."""
    return module.apply if isinstance(module, nn.Module) else lambda _, *inputs: module(*inputs)


def described(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def export(name: str, out: Path) -> None:
    import loom

    module, params, inputs = made(name)
    loom.export(module, described(inputs), params=params, path=out / "bundle")
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(params))
    (out / "facts.json").write_text(json.dumps({"param_bytes": size}) + "\n")


def running(name: str) -> Callable[[], float]:
    module, params, inputs = made(name)
    params, inputs = jax.device_put((params, inputs))
    apply = jax.jit(applied(module))

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(apply(params, *inputs))
        return time.perf_counter() - start

    return once


def compiling(name: str) -> Callable[[], float]:
    """XLA's own time: tracing and lowering are done before the clock starts."""
    module, params, inputs = made(name)
    shapes = described((params, *inputs))

    def once() -> float:
        jax.clear_caches()
        lowered = jax.jit(applied(module)).lower(*shapes)
        start = time.perf_counter()
        lowered.compile()
        return time.perf_counter() - start

    return once


def main(argv: list[str]) -> int:
    serving = {"run": running, "compile": compiling}
    if len(argv) == 4 and argv[1] == "export" and argv[2] in MODELS:
        export(argv[2], Path(argv[3]))
    elif len(argv) == 3 and argv[1] in serving and argv[2] in MODELS:
        once = serving[argv[1]](argv[2])
        for _ in sys.stdin:
            print(json.dumps({"seconds": once()}), flush=True)
    else:
        print(__doc__, f"\nNAME is one of {', '.join(MODELS)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
