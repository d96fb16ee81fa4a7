# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An artifact is whole: XLA compiles it and, fed from the bundle alone, gives the function's answer."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from flax import nnx
from jax._src import compiler, xla_bridge
from jax._src.interpreters.mlir import make_ir_context
from jaxlib import _jax
from jaxlib.mlir.dialects import stablehlo

import loom


def run(
    bundle: loom.Bundle, inputs: dict[str, object], entry: str = "__call__"
) -> dict[str, np.ndarray]:
    """Execute an entry point on XLA's CPU with the weights of params.safetensors, by flat index."""
    point = bundle.entry(entry)
    values = {**bundle.params(), **inputs}
    backend = xla_bridge.get_backend("cpu")
    with make_ir_context() as context:
        data = (bundle.path / point.artifact).read_bytes()
        text = stablehlo.deserialize_portable_artifact(context, data).operation.get_asm()
    devices = _jax.DeviceList(tuple(backend.devices()[:1]))
    program = backend.compile_and_load(text, devices, compiler.get_compile_options(1, 1))
    for position, tensor in enumerate(point.inputs):
        value = np.asarray(values[tensor.path])
        assert tensor.index == position
        assert value.shape == tensor.shape, tensor.path
    results = program.execute([jax.device_put(values[t.path]) for t in point.inputs])
    return {t.path: np.asarray(r) for t, r in zip(point.outputs, results, strict=True)}


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), dtype=jnp.bfloat16, param_dtype=jnp.bfloat16)(x)
        x = nn.BatchNorm(use_running_average=True)(x)
        return {"b": nn.Dense(3)(x.reshape(x.shape[0], -1)), "a": x.mean()}


def test_linen(tmp_path):
    x = (
        np.random.default_rng(0)
        .standard_normal((2, 5, 5, 1), np.float32)
        .astype(ml_dtypes.bfloat16)
    )
    net = Net()
    variables = net.init(jax.random.key(0), x)
    variables["batch_stats"]["BatchNorm_0"]["mean"] = jnp.arange(4.0)
    bundle = loom.export(net, (x,), params=variables, path=tmp_path / "m")
    answer = run(bundle, {"x": x})
    expected = jax.jit(net.apply)(variables, x)
    np.testing.assert_array_equal(answer["result/a"], expected["a"])
    np.testing.assert_array_equal(answer["result/b"], expected["b"])


class Stack(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(4, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)])
        self.norm = nnx.LayerNorm(3, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return self.norm(x)

    def head(self, x):
        return self.layers[1](x)


def test_nnx_methods(tmp_path):
    module = Stack(nnx.Rngs(1))
    x = np.random.default_rng(1).standard_normal((2, 4), np.float32)
    bundle = loom.export(module, (x,), methods=["__call__", "head"], path=tmp_path / "m")
    np.testing.assert_allclose(run(bundle, {"x": x})["result"], module(x), rtol=1e-5)
    np.testing.assert_allclose(run(bundle, {"x": x}, "head")["result"], module.head(x), rtol=1e-5)


def test_function_with_key_and_unused_weight(tmp_path):
    def sample(params, x, key):
        return jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x * params["b"], 0)

    params = {"a": np.ones(7, np.float32), "b": np.float32(3)}
    x = np.arange(1, 7, dtype=np.float32)
    bundle = loom.export(sample, (x, jax.random.key(5)), params=params, path=tmp_path / "m")
    words = np.asarray(jax.random.key_data(jax.random.key(5)))
    answer = run(bundle, {"x": x, "key": words})
    np.testing.assert_array_equal(answer["result"], sample(params, x, jax.random.key(5)))
