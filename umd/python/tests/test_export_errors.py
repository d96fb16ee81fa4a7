# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each refusal of loom.export: what, where, what to do; and that nothing is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import flax.linen as nn
import jax
import jax.experimental
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import nnx

import loom
from loom import versions
from loom.refusals import REFUSALS

X = jax.ShapeDtypeStruct((2, 4), jnp.float32)


def identity(x):
    return x


def line_of(marker: str) -> str:
    """test_export_errors.py:N of the line that carries `marker` as its comment."""
    lines = Path(__file__).read_text().splitlines()
    number = next(i for i, text in enumerate(lines, 1) if text.endswith("# " + marker))
    return f"{Path(__file__).name}:{number}"


def refused(tmp_path, *words: str, target=identity, args=(X,), **options) -> str:
    """Export must raise ExportError with every word, on one line, and write nothing."""
    with pytest.raises(loom.ExportError) as caught:
        loom.export(target, args, path=tmp_path / "m", **options)
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []
    return message


@pytest.mark.parametrize("found", ["0.11.0", None])
def test_untested_jax(tmp_path, monkeypatch, found):
    monkeypatch.setattr(versions, "installed", lambda name: found if name == "jax" else "0.10.2")
    has = f"jax {found}" if found else "jax is missing"
    refused(tmp_path, loom.__version__, "jax 0.10.2", has, "pip install jax==0.10.2 jaxlib==0.10.2")


def test_untested_flax(tmp_path, monkeypatch):
    real = versions.installed
    monkeypatch.setattr(versions, "installed", lambda n: "0.13.0" if n == "flax" else real(n))
    module = nn.Dense(3)
    params = module.init(jax.random.key(0), jnp.ones((2, 4)))
    refused(
        tmp_path, "flax 0.12.", "flax 0.13.0", "pip install flax==", target=module, params=params
    )


@pytest.mark.parametrize(
    ("value", "name", "instead"),
    [
        (np.zeros(3), "float64", "float32"),
        (np.zeros(3, np.int64), "int64", "int32"),
        (np.zeros(3, np.uint64), "uint64", "jax_enable_x64"),
        (np.zeros(3, np.complex128), "complex128", "complex64"),
        (np.zeros(3, ml_dtypes.float8_e4m3fn), "float8_e4m3fn", "bfloat16"),
        (np.zeros(3, ml_dtypes.int4), "int4", "int8"),
    ],
)
def test_unsupported_input_type(tmp_path, value, name, instead):
    refused(
        tmp_path, "batch/mask", name, instead, target=lambda batch: batch, args=({"mask": value},)
    )


def test_unsupported_parameter_type(tmp_path):
    refused(tmp_path, "params/layer/w", "float64", "float32",
            target=lambda p, x: x, params={"layer": {"w": np.ones(4)}})  # fmt: skip


def test_unsupported_output_type(tmp_path):
    refused(tmp_path, "result/1", "int4", target=lambda x: (x, x.astype(jnp.int4)))


def test_dynamic_dimension(tmp_path):
    n, m = jax.export.symbolic_shape("n, m")
    x = jax.ShapeDtypeStruct((n, 4), jnp.float32)
    refused(tmp_path, "x:", "nx4", "dynamic", "concrete size", args=(x,))


def test_not_an_array(tmp_path):
    refused(tmp_path, "mode:", "str", "static=", target=lambda mode: 0, args=("fast",))


def test_linen_without_params(tmp_path):
    refused(tmp_path, "missing params", "Dense", "module.init", target=nn.Dense(3))


def test_linen_parameter_absent(tmp_path):
    params = {"params": {"kernel": jnp.ones((4, 3))}}
    refused(tmp_path, "missing params", "bias", "module.init", target=nn.Dense(3), params=params)


def test_linen_collection_absent(tmp_path):
    module = nn.BatchNorm(use_running_average=True)
    full = module.init(jax.random.key(0), jnp.ones((2, 4)))
    only = {"params": full["params"]}
    refused(tmp_path, "missing params", "mean", target=module, params=only)


def test_linen_parameter_of_another_shape(tmp_path):
    params = nn.Dense(3).init(jax.random.key(0), jnp.ones((2, 5)))
    refused(
        tmp_path,
        "kernel",
        "(5, 3)",
        "(4, 3)",
        "inputs of this shape",
        target=nn.Dense(3),
        params=params,
    )


def test_parameter_without_value(tmp_path):
    shapes = jax.eval_shape(nn.Dense(3).init, jax.random.key(0), jnp.ones((2, 4)))
    refused(tmp_path, "params/bias", "no value", target=nn.Dense(3), params=shapes)


def test_mutable_collection_absent(tmp_path):
    params = nn.Dense(3).init(jax.random.key(0), jnp.ones((2, 4)))
    refused(
        tmp_path,
        "'cache'",
        "collections there: params",
        target=nn.Dense(3),
        params=params,
        mutable=["cache"],
    )
    refused(
        tmp_path, "'cache'", "params", target=nnx.Linear(4, 3, rngs=nnx.Rngs(0)), mutable=["cache"]
    )


def test_collection_updated_but_not_mutable(tmp_path):
    module = nn.BatchNorm(use_running_average=False)
    params = module.init(jax.random.key(0), jnp.ones((2, 4)))
    refused(tmp_path, "mutable=[", target=module, params=params)


def test_two_inputs_of_one_name(tmp_path):
    args = ({"b/c": X, "b": {"c": X}},)
    refused(tmp_path, "two inputs", "'a/b/c'", "rename", target=lambda a: a["b/c"], args=args)


def test_trace_failure_names_the_users_line(tmp_path):
    def broken(x):
        return x @ jnp.ones((7, 7))  # mismatch

    refused(
        tmp_path, line_of("mismatch"), "TypeError", "contracting", "(4,)", "(7,)", target=broken
    )


def test_python_branch_on_a_traced_value(tmp_path):
    def branch(x, flag):
        return x if flag else -x  # branch

    refused(tmp_path, line_of("branch"), "static=", target=branch, args=(X, True))


def test_primitive_without_lowering_names_the_line(tmp_path):
    def factor(x):
        return jax.lax.linalg.qr(x, pivoting=True)[0]  # pivots

    square = jax.ShapeDtypeStruct((3, 3), jnp.float32)
    refused(
        tmp_path,
        line_of("pivots"),
        "'geqp3'",
        "'loom'",
        "outside",
        target=jax.jit(factor),
        args=(square,),
    )


def twice(x):
    return jax.pure_callback(lambda v: 2 * v, x, x)


def told(x):
    jax.experimental.io_callback(print, None, x)
    return x


def shown(x):
    jax.debug.print("{}", x)
    return x


def seen(x):
    jax.debug.callback(print, x)
    return x


REFUSED_FOR_GOOD = {
    "eigh": lambda x: jnp.linalg.eigh(x)[0],
    "svd": lambda x: jnp.linalg.svd(x)[1],
    "eig": lambda x: jnp.linalg.eig(x)[0],
    "schur": lambda x: jax.scipy.linalg.schur(x)[0],
    "hessenberg": lambda x: jax.scipy.linalg.hessenberg(x),
    "tridiagonal": lambda x: jax.lax.linalg.tridiagonal(x)[0],
    "pure_callback": twice,
    "io_callback": told,
    "debug_callback": seen,
    "debug_print": shown,
}


@pytest.mark.parametrize("primitive", REFUSALS)
def test_refused_for_good(tmp_path, primitive):
    why, instead = REFUSALS[primitive]
    function = REFUSED_FOR_GOOD[primitive]
    line = f"{Path(__file__).name}:"
    square = jax.ShapeDtypeStruct((3, 3), jnp.float32)
    refused(tmp_path, line, f"'{primitive}'", why, instead, target=function, args=(square,))


def test_documents_say_what_is_refused_for_good():
    text = (Path(__file__).parents[3] / "docs/compiler.md").read_text()
    table = text.split("## What it refuses for good")[1].split("\n## ")[0]
    missing = [name for name in REFUSALS if f"`{name}`" not in table]
    assert not missing


def test_returns_nothing(tmp_path):
    refused(tmp_path, "returns no array", target=lambda x: None)


def test_wrong_targets(tmp_path):
    refused(tmp_path, "cannot export a int", target=3)
    refused(tmp_path, "Dense is a class", "instance", target=nn.Dense)


def test_wrong_methods(tmp_path):
    module = nn.Dense(3)
    params = module.init(jax.random.key(0), jnp.ones((2, 4)))
    refused(tmp_path, "no method 'decode'", target=module, params=params, methods=["decode"])
    refused(tmp_path, "once", target=module, params=params, methods=[])
    refused(tmp_path, "once", target=module, params=params, methods=["__call__", "__call__"])
    refused(tmp_path, "args", "__call__", target=module, params=params, args={"encode": (X,)})


def test_options_that_do_not_apply(tmp_path):
    refused(tmp_path, "methods=", "a function", methods=["f"])
    refused(tmp_path, "mutable=", "a function", mutable=["cache"])
    refused(tmp_path, "params=", "nnx", target=nnx.Linear(4, 3, rngs=nnx.Rngs(0)), params={})


def test_args_is_not_a_tuple(tmp_path):
    refused(tmp_path, "(x,)", args=X)


def test_path_is_not_a_bundle(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.json").write_text('{"format": "something"}')
    for path in (file, other):
        with pytest.raises(
            loom.BundleError, match="exists and is not a loom bundle.*choose another"
        ):
            loom.export(identity, (X,), path=path)
    assert file.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "other"]


def test_failed_export_leaves_the_old_bundle(tmp_path):
    path = tmp_path / "m"
    loom.export(identity, (X,), path=path)
    before = (path / "model.json").read_bytes()
    with pytest.raises(loom.ExportError):
        loom.export(identity, (np.zeros(3),), path=path)
    assert (path / "model.json").read_bytes() == before


def test_disk_refuses(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(loom.BundleError, match="cannot write the bundle.*No space"):
        loom.export(identity, (X,), path=tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_load_refuses(tmp_path):
    path = tmp_path / "m"
    loom.export(identity, (X,), path=path)
    model = path / "model.json"
    doc = json.loads(model.read_text())

    def load_with(text: str, words: str) -> None:
        model.write_text(text)
        with pytest.raises(loom.BundleError, match=words):
            loom.load_bundle(path)

    load_with("{", "cannot read.*export the model again")
    load_with("[]", '"format": "loom-bundle"')
    load_with(json.dumps({**doc, "version": 2}), "bundle version 2, .*version 1")
    load_with(json.dumps({**doc, "entry_points": [{}]}), "malformed")
    os.unlink(model)
    with pytest.raises(loom.BundleError, match="model.json: cannot read"):
        loom.load_bundle(path)


def test_no_such_entry(tmp_path):
    bundle = loom.export(identity, (X,), path=tmp_path / "m")
    with pytest.raises(loom.BundleError, match="no entry point 'decode'; it has: __call__"):
        bundle.entry("decode")
