# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One training step of each family of networks on the NPU, against JAX on the CPU.

    python tests/e2e/train.py --bin DIR [--work DIR] [--model NAME]... [--target T]...

A step is loss, gradients and the optimiser's update: one program, all state an input. Each begins
where JAX stands after a few steps of its own, so that no moment of the optimiser is zero. The loss
has to agree within 1e-4 (relative), every other tensor of floats within 1e-4 of its norm or 2 % of
the norm of the change that the step made, integers exactly. No parameter has a gradient that is
zero but for rounding (a bias before a BatchNorm, of keys): Adam would make steps of the noise.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from called import Failed, call
from flax import nnx
from paths import output_file, save_tensor, tensor_file, use_checkout

use_checkout()

import loom
import zoo
from loom.paths import join

SEED = 20260211
WARM_STEPS = 3
LOSS_TOLERANCE = 1e-4


# --- networks -------------------------------------------------------------------------------------
class DigitsCNN(nn.Module):
    """8 x 8 digits: convolutions, BatchNorm, max-pooling, dropout."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width in (8, 16):
            x = nn.Conv(width, (3, 3), use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=False, momentum=0.9)(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Dense(32)(x.reshape(x.shape[0], -1)))
        return nn.Dense(10)(nn.Dropout(0.25, deterministic=False)(x))


class BasicBlock(nn.Module):
    width: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        norm = partial(nn.BatchNorm, use_running_average=False, momentum=0.9)
        y = nn.Conv(self.width, (3, 3), self.stride, use_bias=False)(x)
        y = nn.Conv(self.width, (3, 3), use_bias=False)(nn.relu(norm()(y)))
        if x.shape != (y := norm()(y)).shape:
            x = norm()(nn.Conv(self.width, (1, 1), self.stride, use_bias=False)(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    """ResNet-18's blocks; `stages` are blocks a stage."""

    stages: tuple[int, ...] = (2, 2, 2, 2)
    width: int = 64

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(self.width, (7, 7), (2, 2), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=False, momentum=0.9)(x))
        x = nn.max_pool(x, (3, 3), (2, 2), padding="SAME")
        for i, blocks in enumerate(self.stages):
            for j in range(blocks):
                x = BasicBlock(self.width << i, 2 if i and not j else 1)(x)
        return nn.Dense(10)(x.mean((1, 2)))


class LSTM(nn.Module):
    vocabulary: int = 20
    width: int = 16

    @nn.compact
    def __call__(self, ids: jax.Array) -> jax.Array:
        x = nn.RNN(nn.LSTMCell(self.width))(nn.Embed(self.vocabulary, self.width)(ids))
        return nn.Dense(self.vocabulary)(x)


class Transformer(nn.Module):
    vocabulary: int = 40
    width: int = 32
    heads: int = 2
    layers: int = 2

    @nn.compact
    def __call__(self, ids: jax.Array) -> jax.Array:
        drop = partial(nn.Dropout, 0.1, deterministic=False)
        embed = nn.Embed(self.vocabulary, self.width)
        places = nn.Embed(ids.shape[1], self.width)(jnp.arange(ids.shape[1])[None])
        x = embed(ids) + places
        for _ in range(self.layers):
            attention = nn.MultiHeadDotProductAttention(
                self.heads, dropout_rate=0.1, deterministic=False, use_bias=False
            )
            x = x + attention(nn.LayerNorm()(x), mask=nn.make_causal_mask(ids))
            y = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)), approximate=False)
            x = x + drop()(nn.Dense(self.width)(y))
        return embed.attend(nn.LayerNorm()(x))


class Graph:
    """An nnx module as what a step asks of a linen one."""

    def __init__(self, module: nnx.Module):
        self.graph, self.params = nnx.split(module)

    def init(self, _: Any, *inputs: jax.Array) -> dict[str, Any]:
        return {"params": self.params}

    def apply(self, variables: Any, *inputs: jax.Array, mutable: Any, rngs: Any) -> Any:
        return nnx.merge(self.graph, variables["params"])(*inputs), {}


# --- steps ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Case:
    """loss(outputs, *inputs) of module(*inputs); what the optimiser is."""

    module: nn.Module | Graph
    inputs: tuple[np.ndarray, ...]
    loss: Callable[..., jax.Array]
    optimiser: optax.GradientTransformation


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _labels(rng: np.random.Generator, *shape: int, classes: int = 10) -> np.ndarray:
    return rng.integers(0, classes, shape, np.int32)


def mlp(rng: np.random.Generator) -> Case:
    module = nn.Sequential([nn.Dense(48), nn.relu, nn.Dense(48), nn.relu, nn.Dense(10)])
    images = rng.standard_normal((16, 64), np.float32)
    return _classifier(module, images, rng, optax.adam(1e-3))


def _classifier(
    module: nn.Module, images: np.ndarray, rng: np.random.Generator, tx: Any
) -> Case:
    labels = _labels(rng, images.shape[0])
    return Case(module, (images,), lambda out, _: cross_entropy(out, labels), tx)


def digits(rng: np.random.Generator) -> Case:
    images = rng.standard_normal((16, 8, 8, 1), np.float32)
    return _classifier(DigitsCNN(), images, rng, optax.adam(1e-3))


def resnet(rng: np.random.Generator) -> Case:
    images = rng.standard_normal((4, 32, 32, 3), np.float32)
    return _classifier(ResNet((1, 1), 8), images, rng, optax.sgd(1e-2, momentum=0.9))


def resnet18(rng: np.random.Generator) -> Case:
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    return _classifier(ResNet((2, 2, 2, 2), 16), images, rng, optax.adam(1e-3))


def mobilenet(rng: np.random.Generator) -> Case:
    images = rng.standard_normal((4, 16, 16, 3), np.float32)
    module = zoo.MobileNet(((1, 8, 1, 1), (4, 16, 2, 2)), 8, 32, 10, train=True)
    # No momentum: what linear layers shift by has no gradient but for rounding.
    return _classifier(module, images, rng, optax.sgd(1e-2))


def unet(rng: np.random.Generator) -> Case:
    """Pixels to pixels. Two channels a group: of one alone a norm takes the bias away."""
    images = rng.standard_normal((2, 16, 16, 3), np.float32)
    mask = (rng.random((2, 16, 16, 1)) < 0.3).astype(np.float32)

    def loss(logits: jax.Array, _: jax.Array) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(logits, mask).mean()

    return Case(zoo.UNet((16, 32), 1), (images,), loss, optax.adam(1e-3))


def vit(rng: np.random.Generator) -> Case:
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    module = zoo.ViT(32, 2, 2, 8, 10, bias=False)
    return _classifier(module, images, rng, optax.adamw(1e-3, weight_decay=1e-2))


def bert(rng: np.random.Generator) -> Case:
    """A class for each token and one for the sentence."""
    ids, types = _labels(rng, 2, 12, classes=60), np.zeros((2, 12), np.int32)
    mask = np.ones((2, 12), np.float32)
    types[:, 7:] = 1
    mask[:, 10:] = 0
    tokens, sentence = _labels(rng, 2, 12, classes=32), _labels(rng, 2, classes=32)

    def loss(out: Any, *_: jax.Array) -> jax.Array:
        return cross_entropy(out[0], tokens) + cross_entropy(out[1], sentence)

    module = zoo.Bert(60, 32, 2, 2, 16, bias=False)
    return Case(module, (ids, types, mask), loss, optax.adamw(1e-3, weight_decay=1e-2))


def next_token(module: nn.Module | Graph, ids: np.ndarray, tx: Any) -> Case:
    def loss(logits: jax.Array, given: jax.Array) -> jax.Array:
        return cross_entropy(logits[:, :-1], given[:, 1:])

    return Case(module, (ids,), loss, tx)


def lstm(rng: np.random.Generator) -> Case:
    return next_token(LSTM(), _labels(rng, 3, 7, classes=20), optax.adam(1e-3))


def transformer(rng: np.random.Generator) -> Case:
    ids = _labels(rng, 2, 12, classes=40)
    return next_token(Transformer(), ids, optax.adamw(1e-3, weight_decay=1e-2))


def nnx_transformer(rng: np.random.Generator) -> Case:
    rngs = nnx.Rngs(int(rng.integers(1 << 30)))
    module = zoo.NnxTransformer(40, 32, 2, 1, jnp.float32, rngs, bias=False)
    return next_token(Graph(module), _labels(rng, 2, 12, classes=40), optax.adam(1e-3))


def seq2seq(rng: np.random.Generator) -> Case:
    source, target = _labels(rng, 3, 7, classes=20), _labels(rng, 3, 6, classes=20)

    def loss(logits: jax.Array, _: jax.Array, given: jax.Array) -> jax.Array:
        return cross_entropy(logits[:, :-1], given[:, 1:])

    return Case(zoo.Seq2Seq(20, 16), (source, target), loss, optax.adam(1e-3))


def vae(rng: np.random.Generator) -> Case:
    def loss(out: Any, x: jax.Array, _: jax.Array) -> jax.Array:
        logits, mean, logvar = out
        bits = optax.sigmoid_binary_cross_entropy(logits, x).sum(-1)
        kl = -0.5 * (1 + logvar - mean**2 - jnp.exp(logvar)).sum(-1)
        return (bits + kl).mean()

    images, key = rng.random((8, 64), np.float32), rng.integers(0, 1 << 32, 2, np.uint32)
    return Case(zoo.VAE(6, 48), (images, key), loss, optax.adam(1e-3))


def gnn(rng: np.random.Generator) -> Case:
    nodes = rng.standard_normal((12, 5), np.float32)
    src, dst = _labels(rng, 30, classes=12), _labels(rng, 30, classes=12)
    labels = _labels(rng, 12, classes=3)
    loss = lambda out, *_: cross_entropy(out, labels)  # noqa: E731
    return Case(zoo.GNN(16, 2), (nodes, src, dst), loss, optax.adam(1e-3))


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    "mlp": mlp,
    "digits": digits,
    "resnet": resnet,
    "resnet18": resnet18,
    "mobilenet": mobilenet,
    "unet": unet,
    "vit": vit,
    "bert": bert,
    "lstm": lstm,
    "seq2seq": seq2seq,
    "transformer": transformer,
    "nnx_transformer": nnx_transformer,
    "vae": vae,
    "gnn": gnn,
}


def step_of(case: Case) -> Callable[..., Any]:
    """(train, key, *inputs) -> (train, loss), where train holds parameters, moments, statistics."""

    def step(train: Any, key: jax.Array, *inputs: jax.Array) -> Any:
        def loss(params: Any) -> Any:
            variables = {"params": params, **train["state"]}
            out, state = case.module.apply(
                variables, *inputs, mutable=list(train["state"]), rngs={"dropout": key}
            )
            return case.loss(out, *inputs), state

        (value, state), grads = jax.value_and_grad(loss, has_aux=True)(train["params"])
        updates, opt = case.optimiser.update(grads, train["opt"], train["params"])
        params = optax.apply_updates(train["params"], updates)
        return {"params": params, "opt": opt, "state": state}, value

    return step


def begin(case: Case, step: Callable[..., Any]) -> Any:
    keys = {"params": jax.random.key(SEED), "dropout": jax.random.key(SEED + 1)}
    variables = dict(case.module.init(keys, *case.inputs))
    params = variables.pop("params")
    train = {"params": params, "opt": case.optimiser.init(params), "state": variables}
    for i in range(WARM_STEPS):
        train, _ = step(train, jax.random.key(i), *case.inputs)
    return train


# --- the check ------------------------------------------------------------------------------------
def flat(tree: Any, name: str) -> dict[str, np.ndarray]:
    return {
        join(name, keys): np.asarray(jax.random.key_data(v) if is_key(v) else v)
        for keys, v in jax.tree_util.tree_flatten_with_path(tree)[0]
    }


def is_key(value: Any) -> bool:
    return jnp.issubdtype(getattr(value, "dtype", np.int32), jax.dtypes.prng_key)


def tensor_error(have: np.ndarray, want: np.ndarray, before: np.ndarray) -> float:
    """1 is the limit."""
    if have.dtype != want.dtype or have.shape != want.shape:
        return float("inf")
    if want.dtype.kind != "f":
        return 0.0 if (have == want).all() else float("inf")
    if not np.isfinite(have).all():
        return float("inf")
    norm = np.linalg.norm
    limit = max(1e-4 * norm(want), 0.02 * norm(want - before), 1e-12)
    return float(norm(have.astype(np.float64) - want) / limit)


def prepare(name: str, folder: Path) -> None:
    """The bundle, its inputs and JAX's answers; what lies there already is kept."""
    if (folder / "after.npz").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    case = CASES[name](np.random.default_rng(SEED))
    step = step_of(case)
    compiled = jax.jit(step)
    train, key = begin(case, compiled), jax.random.key(SEED + 2)
    given = (train, key, *case.inputs)
    bundle = loom.export(step, given, path=folder / "bundle")
    entry = bundle.entry_points[0]
    leaves = [leaf for i, x in enumerate(given) for leaf in flat(x, str(i)).values()]
    for tensor, value in zip(entry.inputs, leaves, strict=True):
        save_tensor(folder / "inputs", tensor.path, value)
    after, loss = compiled(*given)
    outputs = [*flat(after, "0").values(), np.asarray(loss)]
    paths = [tensor.path for tensor in entry.outputs]
    np.savez(folder / "before.npz", **dict(zip(paths, flat(train, "0").values(), strict=False)))
    np.savez(folder / "after.npz", **dict(zip(paths, outputs, strict=True)))


def input_options(folder: Path) -> list[Any]:
    words: list[Any] = []
    for tensor in loom.load_bundle(folder / "bundle").entry_points[0].inputs:
        words += ["--input", f"{tensor.path}={tensor_file(folder / 'inputs', tensor.path)}"]
    return words


def check(name: str, bin: Path, work: Path, target: str) -> str:
    folder = work / name
    prepare(name, folder)
    program, outputs = folder / f"{target}.loom", folder / f"{target}.out"
    outputs.mkdir(exist_ok=True)
    call([bin / "loomc", folder / "bundle", "--target", target, "-o", program])
    run = [bin / "loom", "run", program, "--device", f"sim:{target}", "--output-dir", outputs]
    call([*run, *input_options(folder)], LOOM_HAZARDS="1")
    before, after = np.load(folder / "before.npz"), np.load(folder / "after.npz")
    worst, where = 0.0, ""
    for path in after.files:
        have, want = np.load(output_file(outputs, path)), after[path]
        if path in before.files:
            error = tensor_error(have, want, before[path])
        else:
            error = abs(float(have) - float(want)) / abs(float(want)) / LOSS_TOLERANCE
        if not error <= 1:
            raise Failed(f"{path} differs by {error:.3g} times what is allowed")
        if error >= worst:
            worst, where = error, path
    return f"largest difference {worst:.2f} of what is allowed ({where})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc and loom")
    parser.add_argument("--work", type=Path, help="keep bundles, programs and tensors here")
    parser.add_argument("--model", action="append", choices=CASES, help="only this one; repeatable")
    parser.add_argument("--target", action="append", help="repeatable; default npu16")
    options = parser.parse_args()
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="loom-train.") as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for name in options.model or CASES:
            for target in options.target or ["npu16"]:
                try:
                    text = check(name, options.bin, work, target)
                    passed += 1
                    print(f"ok     {name:15} {target:6} {text}", flush=True)
                except Failed as e:
                    failed += 1
                    print(f"FAILED {name:15} {target:6} {e}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
