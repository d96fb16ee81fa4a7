# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What loom.export writes: names, roles, types, flat order, artifacts, weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxlib.mlir.dialects import stablehlo

import loom
from loom.lowering import ARTIFACT_MAGIC

X = jax.ShapeDtypeStruct((2, 4), jnp.float32)


class Net(nn.Module):
    """One layer, one normalisation, and a second method that shares the parameters."""

    def setup(self):
        self.layer = nn.Dense(3)
        self.norm = nn.BatchNorm(momentum=0.5)

    def __call__(self, x, train=False):
        return nn.relu(self.norm(self.layer(x), use_running_average=not train))

    def encode(self, tokens):
        return self.layer(tokens)


class Counter(nnx.Variable):
    """Named like this so that the collection of its leaves is 'Counter'."""


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.blocks = nnx.List([nnx.Linear(4, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)])
        self.norm = nnx.BatchNorm(3, use_running_average=True, rngs=rngs)
        self.drop = nnx.Dropout(0.5, deterministic=True, rngs=rngs)
        self.calls = Counter(jnp.zeros((), jnp.int32))

    def __call__(self, x):
        self.calls[...] += 1
        for block in self.blocks:
            x = block(x)
        return {"logits": self.drop(self.norm(x)), "calls": self.calls[...]}


def variables():
    return Net().init(jax.random.key(0), jnp.ones((2, 4)))


def text_of(bundle: loom.Bundle, name: str = "__call__") -> str:
    """The artifact read back by the implementation that defines the format."""
    from jax._src.interpreters.mlir import make_ir_context

    data = (bundle.path / bundle.entry(name).artifact).read_bytes()
    assert data.startswith(ARTIFACT_MAGIC)
    with make_ir_context() as context:
        module = stablehlo.deserialize_portable_artifact(context, data)
        return module.operation.get_asm(enable_debug_info=True)


def test_import_does_not_import_jax():
    code = "import sys, loom; sys.exit('jax' in sys.modules or 'flax' in sys.modules)"
    here = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=here).returncode == 0


def test_function(tmp_path):
    def affine(params, x, shift):
        return x @ params["w"] + params["b"] + shift

    weights = {"w": np.arange(12, dtype=np.float32).reshape(4, 3), "b": np.ones(3, np.float32)}
    bundle = loom.export(affine, (X, jnp.float32(2)), params=weights, path=tmp_path / "m")
    doc = json.loads((tmp_path / "m/model.json").read_text())
    assert (doc["format"], doc["version"]) == ("loom-bundle", 1)
    assert doc["producer"]["jax"] == "0.10.2"
    (entry,) = doc["entry_points"]
    assert entry["name"] == "__call__" and entry["artifact"] == "__call__.vhlo.bc"
    assert entry["donated"] == []
    rows = [(t["index"], t["path"], t["role"], t["dtype"], t["shape"]) for t in entry["inputs"]]
    assert rows == [
        (0, "params/b", "param", "f32", [3]),
        (1, "params/w", "param", "f32", [4, 3]),
        (2, "x", "input", "f32", [2, 4]),
        (3, "shift", "input", "f32", []),
    ]
    assert entry["outputs"] == [
        {"index": 0, "path": "result", "role": "output", "dtype": "f32", "shape": [2, 3]}
    ]
    stored = bundle.params()
    assert set(stored) == {"params/b", "params/w"}
    np.testing.assert_array_equal(stored["params/w"], weights["w"])
    assert "stablehlo.dot_general" in text_of(bundle)


def test_artifact_names_the_line_and_the_arguments(tmp_path):
    def scale(params, x):
        return x * params  # the line

    line = next(
        i for i, t in enumerate(Path(__file__).read_text().splitlines(), 1) if "# the line" in t
    )
    text = text_of(loom.export(scale, (X,), params=jnp.ones(4), path=tmp_path / "m"))
    assert f'test_export.py":{line}:' in text
    assert 'loc("params")' in text and 'loc("x")' in text


def test_linen_paths_and_batch_stats_are_constants(tmp_path):
    bundle = loom.export(Net(), (X,), params=variables(), path=tmp_path / "m")
    entry = bundle.entry()
    assert [t.path for t in entry.of_role("param")] == [
        "batch_stats/norm/mean",
        "batch_stats/norm/var",
        "params/layer/bias",
        "params/layer/kernel",
        "params/norm/bias",
        "params/norm/scale",
    ]
    assert [t.path for t in entry.of_role("input")] == ["x"]
    assert set(bundle.params()) == {t.path for t in entry.of_role("param")}
    assert not (bundle.path / "state.safetensors").exists()
    assert "Net/layer" in text_of(bundle)


def test_unused_parameters_keep_their_index(tmp_path):
    both = loom.export(
        Net(), (X,), params=variables(), methods=["__call__", "encode"], path=tmp_path / "m"
    )
    called, encoded = both.entry(), both.entry("encode")
    assert [t.path for t in called.inputs[:-1]] == [t.path for t in encoded.inputs[:-1]]
    assert encoded.inputs[-1].path == "tokens"
    assert text_of(both, "encode").count("%arg6") > 0


def test_arguments_for_each_method(tmp_path):
    args = {"__call__": (X,), "encode": (jax.ShapeDtypeStruct((5, 4), jnp.float32),)}
    bundle = loom.export(
        Net(), args, params=variables(), methods=["__call__", "encode"], path=tmp_path / "m"
    )
    assert bundle.entry("encode").outputs[0].shape == (5, 3)


def test_mutable_collection_is_donated_state(tmp_path):
    start = variables()
    bundle = loom.export(
        Net(),
        (X,),
        params=start,
        mutable=["batch_stats"],
        static={"train": True},
        path=tmp_path / "m",
    )
    entry = bundle.entry()
    state = entry.of_role("state")
    assert [t.path for t in state] == ["batch_stats/norm/mean", "batch_stats/norm/var"]
    assert [(t.path, t.role) for t in entry.outputs] == [
        ("result", "output"),
        ("batch_stats/norm/mean", "state"),
        ("batch_stats/norm/var", "state"),
    ]
    assert entry.donated == [t.index for t in state]
    from safetensors.numpy import load_file

    initial = load_file(bundle.path / "state.safetensors")
    np.testing.assert_array_equal(
        initial["batch_stats/norm/var"], start["batch_stats"]["norm"]["var"]
    )
    assert not set(bundle.params()) & set(initial)
    assert text_of(bundle).count("tf.aliasing_output") == 2


def test_bound_module_brings_its_variables(tmp_path):
    bundle = loom.export(Net().bind(variables()), (X,), path=tmp_path / "m")
    assert "params/layer/kernel" in bundle.params()


def test_nnx_names_survive(tmp_path):
    module = NnxNet(nnx.Rngs(0))
    bundle = loom.export(module, (X,), path=tmp_path / "m")
    entry = bundle.entry()
    paths = {t.path for t in entry.of_role("param")}
    assert {"params/blocks/0/kernel", "params/blocks/1/bias", "batch_stats/norm/mean"} <= paths
    assert [t.path for t in entry.of_role("input")] == ["x"]
    assert {(t.path, t.dtype) for t in entry.outputs} == {
        ("result/calls", "i32"),
        ("result/logits", "f32"),
    }
    np.testing.assert_array_equal(
        bundle.params()["params/blocks/1/kernel"], module.blocks[1].kernel[...]
    )


def test_nnx_state(tmp_path):
    bundle = loom.export(NnxNet(nnx.Rngs(0)), (X,), mutable=["Counter"], path=tmp_path / "m")
    entry = bundle.entry()
    assert [(t.path, t.dtype, t.shape) for t in entry.of_role("state")] == [
        ("Counter/calls", "i32", ())
    ]
    assert ("Counter/calls", "state") in [(t.path, t.role) for t in entry.outputs]
    assert entry.donated == [entry.of_role("state")[0].index]


def test_trees_varargs_and_keys(tmp_path):
    def sample(params, batch, *rest):
        noise = jax.random.normal(rest[1], (3,))
        return {"out": (batch["a"] @ params["w"] + noise, rest[0] + batch["b"][0])}

    batch = {"a": X, "b": [jnp.int32(1)]}
    bundle = loom.export(
        sample,
        (batch, jnp.ones((), jnp.int32), jax.random.key(3)),
        params={"w": jnp.ones((4, 3))},
        path=tmp_path / "m",
    )
    entry = bundle.entry()
    assert [(t.path, t.role) for t in entry.inputs] == [
        ("params/w", "param"),
        ("batch/a", "input"),
        ("batch/b/0", "input"),
        ("rest/0", "input"),
        ("rest/1", "rng"),
    ]
    assert (entry.inputs[-1].dtype, entry.inputs[-1].shape) == ("u32", (2,))
    assert [t.path for t in entry.outputs] == ["result/out/0", "result/out/1"]
    assert "sdy." not in text_of(bundle)


def test_linen_rngs(tmp_path):
    net = nn.Dropout(0.5, deterministic=False)
    bundle = loom.export(
        net, (X,), params={}, rngs={"dropout": jax.random.key(0)}, path=tmp_path / "m"
    )
    assert [(t.path, t.role) for t in bundle.entry().inputs] == [
        ("rngs/dropout", "rng"),
        ("inputs", "input"),
    ]


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (jnp.float32, "f32"), (jnp.bfloat16, "bf16"), (jnp.float16, "f16"), (jnp.int32, "i32"),
        (jnp.uint32, "u32"), (jnp.int16, "i16"), (jnp.uint16, "u16"), (jnp.int8, "i8"),
        (jnp.uint8, "u8"), (jnp.bool_, "i1"),
    ],
)  # fmt: skip
def test_every_element_type(tmp_path, dtype, name):
    value = jnp.array([[0, 1], [1, 0]], dtype)
    bundle = loom.export(lambda p, x: (p, x), (value,), params=value, path=tmp_path / "m")
    entry = bundle.entry()
    assert [t.dtype for t in entry.inputs + entry.outputs] == [name] * 4
    assert bundle.params()["params"].tobytes() == np.asarray(value).tobytes()


def test_same_model_same_bytes(tmp_path):
    for name in "ab":
        loom.export(Net(), (X,), params=variables(), path=tmp_path / name)
    for file in ("model.json", "params.safetensors", "__call__.vhlo.bc"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_replaces_a_bundle_and_leaves_no_scratch(tmp_path):
    loom.export(lambda p, x: x + p, (X,), params=jnp.ones(4), path=tmp_path / "m")
    loom.export(Net(), (X,), params=variables(), path=tmp_path / "m")
    assert "params/layer/kernel" in loom.load_bundle(tmp_path / "m").params()
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_load_bundle_round_trip(tmp_path):
    written = loom.export(Net(), (X,), params=variables(), path=tmp_path / "m")
    assert loom.load_bundle(tmp_path / "m") == written


def test_donation_list_is_restored(tmp_path):
    from jax._src.interpreters import mlir

    before = list(mlir._platforms_with_donation)
    loom.export(Net(), (X,), params=variables(), path=tmp_path / "m")
    assert mlir._platforms_with_donation == before
