# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The models that must run on every target and backend, and what JAX says they answer.

    python tests/e2e/models.py list [--deep]
    python tests/e2e/models.py export OUT [--model NAME]... [--digits DIR] [--deep]

OUT/<model>/ receives
    bundle/              for loomc
    inputs/<path>.npy    one input of each, never constant
    expected/<path>.npy  JAX's answer on the CPU, in the model's own type
    meta.json            {model, seed, targets, refused, entry, inputs, outputs}; targets: those it
                         is made for, refused: those that are too small for it, dtype: the element
                         type (bf16 is stored as uint16 bits)
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from paths import save_tensor, use_checkout

use_checkout()

import control
import digits
import export_digits
import linalg
import loom
import zoo
from loom.paths import join

SEED = 20260101
TARGETS = ("npu8", "npu16", "npu64")
MORE_TARGETS = ("npu128", "odd")  # the zoo's
REAL_TARGETS = (*TARGETS, "npu128")


@dataclass(frozen=True)
class Case:
    """A model with its weights and one set of inputs, all concrete.

    target: a linen module (params: its variables) or a function fn(params, **inputs).
    """

    target: Any
    params: Any
    inputs: Mapping[str, Any]
    targets: tuple[str, ...] = TARGETS
    notes: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Any:
        """JAX's own answer."""
        fn = self.target.apply if isinstance(self.target, nn.Module) else self.target
        return jax.jit(fn)(self.params, *self.inputs.values())


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def randomised(variables: Any, rng: np.random.Generator) -> Any:
    """Flax initialises biases and statistics to 0 and 1, which hides mistakes; give them values."""

    def value(keys: Any, leaf: Any) -> Any:
        name = join("", keys).rsplit("/", 1)[-1]
        if name in ("bias", "mean"):
            return jnp.asarray(normal(rng, *leaf.shape) * 0.5)
        if name in ("var", "scale"):
            return jnp.asarray(rng.uniform(0.5, 2.0, leaf.shape).astype(np.float32))
        return leaf

    return jax.tree_util.tree_map_with_path(value, variables)


# --- digits ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Trained:
    variables: Any
    images: np.ndarray
    labels: np.ndarray


def trained_digits(cache: Path | None) -> Trained:
    """The digits CNN, trained; `cache` is a directory that export_digits.py wrote in f32."""
    if cache is not None:
        weights = loom.load_bundle(cache / "bundle").params()
        variables: dict[str, Any] = {}
        for path, value in weights.items():
            *parents, leaf = path.split("/")
            place = variables
            for parent in parents:
                place = place.setdefault(parent, {})
            place[leaf] = jnp.asarray(value)
        return Trained(variables, np.load(cache / "images.npy"), np.load(cache / "labels.npy"))
    data = digits.load(0)
    variables = digits.train(data, 0, digits.STEPS, quiet=True)
    return Trained(variables, data.test_images, data.test_labels)


def digits_case(trained: Trained, dtype: str) -> Case:
    model, variables = export_digits.in_dtype(trained.variables, dtype)
    images = jnp.asarray(trained.images[:60])
    if dtype == "bf16":
        images = images.astype(jnp.bfloat16)
    return Case(model, variables, {"x": images}, notes={"labels": trained.labels[:60].tolist()})


# --- the others -----------------------------------------------------------------------------------
class MLP(nn.Module):
    """784-512-512-10."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width in (512, 512):
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(10)(x)


def mlp() -> Case:
    rng = np.random.default_rng(SEED)
    x = normal(rng, 32, 784)
    return Case(MLP(), randomised(MLP().init(jax.random.key(SEED), x), rng), {"x": x})


class NormCNN(nn.Module):
    """BatchNorm behind a convolution with and without bias, and behind a strided one."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def norm(y: jax.Array) -> jax.Array:
            return nn.relu(nn.BatchNorm(use_running_average=True)(y))

        x = norm(nn.Conv(16, (3, 3), use_bias=False)(x))
        x = nn.max_pool(norm(nn.Conv(24, (3, 3))(x)), (2, 2), strides=(2, 2))
        x = norm(nn.Conv(32, (3, 3), strides=(2, 2), use_bias=False)(x))
        return nn.Dense(10)(x.reshape(x.shape[0], -1))


def cnn_batchnorm() -> Case:
    rng = np.random.default_rng(SEED + 1)
    x = normal(rng, 8, 16, 16, 3)
    return Case(NormCNN(), randomised(NormCNN().init(jax.random.key(SEED), x), rng), {"x": x})


def int8_matmul() -> Case:
    """i8 [61, 300] x i8 [300, 90] -> i32, over the types' whole range and off every tile size."""
    rng = np.random.default_rng(SEED + 2)

    def matmul(params: Any, x: jax.Array) -> jax.Array:
        return jax.lax.dot_general(
            x, params["kernel"], (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32
        )

    kernel = rng.integers(-128, 128, (300, 90), np.int8)
    return Case(matmul, {"kernel": kernel}, {"x": rng.integers(-128, 128, (61, 300), np.int8)})


def in_bf16(tree: Any) -> Any:
    """Every f32 leaf in bf16; a network without a type of its own then computes in bf16."""

    def cast(leaf: Any) -> Any:
        return leaf.astype(jnp.bfloat16) if leaf.dtype == np.float32 else leaf

    return jax.tree.map(cast, tree)


def of_zoo(make: Callable[..., tuple[Any, zoo.Inputs]], bf16: bool = False) -> Case:
    """A network of zoo.py with random weights."""
    rng = np.random.default_rng(SEED + 4)
    typed = bf16 and "dtype" in inspect.signature(make).parameters
    module, inputs = make(rng, dtype=jnp.bfloat16) if typed else make(rng)
    if bf16 and hasattr(module, "dtype"):
        module = module.clone(dtype=jnp.bfloat16)
    if not isinstance(module, nn.Module):
        graph, state = nnx.split(module)
        weights, call = state, lambda params, *xs: nnx.merge(graph, params)(*xs)
    else:
        shapes = jax.eval_shape(module.init, jax.random.key(SEED), *inputs)
        weights, call = drawn(shapes, rng), module
    if bf16:
        weights, inputs = in_bf16(weights), in_bf16(tuple(jnp.asarray(x) for x in inputs))
    given = {f"x{i}": x for i, x in enumerate(inputs)}
    return Case(call, weights, given, TARGETS + MORE_TARGETS)


def real_size(network: zoo.Real, bf16: bool) -> Case:
    dtype = "bf16" if bf16 else "f32"
    small = [target for target, what in network.refused if what == dtype]
    return dataclasses.replace(
        of_zoo(network.make, bf16),
        targets=tuple(t for t in REAL_TARGETS if t not in small),
        notes={"real_size": network.title, "dtype": dtype, "refused": small},
    )


def drawn(shapes: Any, rng: np.random.Generator) -> Any:
    """Weights of these shapes without running the model's own initialisers, which JAX compiles."""

    def value(leaf: Any) -> jax.Array:
        fan_in = max(1, int(np.prod(leaf.shape[:-1])))
        return jnp.asarray(normal(rng, *leaf.shape) / np.sqrt(fan_in), leaf.dtype)

    return randomised(jax.tree.map(value, shapes), rng)


# target -> (SRAM bytes, rows, contracted, columns): wide enough that every loop is tiled.
BIG = {
    "npu8": (64 << 10, 161, 480, 1003),
    "npu16": (512 << 10, 384, 1536, 2560),
    "npu64": (2 << 20, 256, 2304, 8192),
}


def big_matmul(target: str) -> Case:
    """f32 operands and result together at least 40 times the target's SRAM."""
    sram, m, k, n = BIG[target]
    size = 4 * (m * k + k * n + m * n)
    if size < 40 * sram:
        raise AssertionError(f"big_matmul for {target}: {size} bytes is under 40 x {sram}")
    rng = np.random.default_rng(SEED + 3)

    def matmul(params: Any, x: jax.Array) -> jax.Array:
        return x @ params["kernel"]

    kernel = normal(rng, k, n)
    notes = {"bytes": size, "sram_ratio": round(size / sram, 2)}
    return Case(matmul, {"kernel": kernel}, {"x": normal(rng, m, k)}, (target,), notes)


def cases(digits_cache: Path | None, deep: bool = False) -> dict[str, Callable[[], Case]]:
    """Every model by name; nothing is built before it is called. deep: the zoo in bf16, too, and
    at its real size."""
    memo: list[Trained] = []

    def trained() -> Trained:
        if not memo:
            memo.append(trained_digits(digits_cache))
        return memo[0]

    table: dict[str, Callable[[], Case]] = {
        "digits_cnn": lambda: digits_case(trained(), "f32"),
        "digits_cnn_bf16": lambda: digits_case(trained(), "bf16"),
        "mlp": mlp,
        "cnn_batchnorm": cnn_batchnorm,
        "int8_matmul": int8_matmul,
    }
    for name, make in (zoo.SMALL | control.SMALL | linalg.SMALL).items():
        table[name] = lambda m=make: of_zoo(m)
    for target in TARGETS:
        table[f"big_matmul_{target}"] = lambda t=target: big_matmul(t)
    if not deep:
        return table
    for name, make in zoo.SMALL.items():
        if not name.endswith("_bf16") and f"{name}_bf16" not in zoo.SMALL:
            table[f"{name}_bf16"] = lambda m=make: of_zoo(m, bf16=True)
    for name, network in zoo.REAL.items():
        for bf16 in (False, True):
            table[name + "_bf16" * bf16] = lambda n=network, b=bf16: real_size(n, b)
    return table


def export_case(name: str, case: Case, out: Path) -> None:
    """Write OUT/<name>; see the head of this file."""
    where = out / name
    for part in ("inputs", "expected"):
        shutil.rmtree(where / part, ignore_errors=True)
    bundle = loom.export(
        case.target, tuple(case.inputs.values()), params=case.params, path=where / "bundle"
    )
    entry = bundle.entry()
    values = dict(zip((t.path for t in entry.of_role("input")), case.inputs.values(), strict=True))
    answers = {
        join("result", keys): leaf
        for keys, leaf in jax.tree_util.tree_flatten_with_path(case.run())[0]
    }
    if name.endswith("_bf16") and {t.dtype for t in entry.outputs} != {"bf16"}:
        raise AssertionError(f"{name}: outputs are of {[t.dtype for t in entry.outputs]}")
    for path, value in values.items():
        if np.unique(np.asarray(value, np.float64)).size < 2:
            raise AssertionError(f"{name}: input {path} is constant")
        save_tensor(where / "inputs", path, np.asarray(value))
    for path, value in answers.items():
        save_tensor(where / "expected", path, np.asarray(value))
    if "real_size" in case.notes and case.notes["dtype"] == "bf16":
        case.notes["jax_to_itself"] = jax_to_itself(case, answers)
    meta = {
        "model": name,
        "seed": SEED,
        "targets": list(case.targets),
        "entry": entry.name,
        "inputs": [_row(t) for t in entry.of_role("input")],
        "outputs": [_row(t) for t in entry.outputs],
        **case.notes,
    }
    (where / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def jax_to_itself(case: Case, answers: Mapping[str, Any]) -> float:
    """How far JAX's two answers in bf16, compiled and operation by operation, lie apart: what
    rounding alone does to a network of this depth."""

    def wide(value: Any) -> np.ndarray:
        return np.asarray(value, np.float32)

    with jax.disable_jit():
        others = jax.tree.leaves(case.run())
    return max(
        float(np.abs(wide(one) - wide(other)).max() / np.abs(wide(one)).max())
        for one, other in zip(answers.values(), others, strict=True)
    )


def _row(tensor: loom.Tensor) -> dict[str, Any]:
    return {"path": tensor.path, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    names = commands.add_parser("list", help="print the names")
    export = commands.add_parser("export", help="write models, inputs and expected outputs")
    export.add_argument("out", type=Path)
    export.add_argument("--model", action="append", help="only this one; repeatable")
    export.add_argument(
        "--digits", type=Path, help="what export_digits.py wrote, to save the training"
    )
    for command in (names, export):
        command.add_argument("--deep", action="store_true", help="all that the deep suite takes")
    options = parser.parse_args()
    table = cases(getattr(options, "digits", None), options.deep)
    if options.command == "list":
        print("\n".join(table))
        return 0
    for name in options.model or table:
        if name not in table:
            parser.error(f"no model {name!r}; there are: {', '.join(table)}")
        start = time.monotonic()
        export_case(name, table[name](), options.out)
        place = options.out / name
        print(f"{name:20} {time.monotonic() - start:6.2f} s  {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
