# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Entry points over one state: roles, paths, initial values, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training import train_state
from safetensors.numpy import load_file

import loom
from loom import Entry

X, Y = jnp.ones((4, 5)), jnp.zeros((4, 3))
TX = optax.sgd(0.1, momentum=0.9)


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(8)(x)
        return nn.BatchNorm(use_running_average=not train)(x)


class Model(nn.Module):
    def setup(self):
        self.encoder = Encoder()
        self.head = nn.Dense(3)

    def __call__(self, x, train=False):
        return self.head(nn.relu(self.encoder(x, train)))


def init(seed: jax.Array) -> dict[str, Any]:
    variables = Model().init(jax.random.wrap_key_data(seed), X)
    return {**variables, "opt_state": TX.init(variables["params"])}


def train(state: dict[str, Any], x: jax.Array, y: jax.Array) -> tuple[dict[str, Any], jax.Array]:
    def loss(params):
        variables = {"params": params, "batch_stats": state["batch_stats"]}
        out, new = Model().apply(variables, x, train=True, mutable=["batch_stats"])
        return ((out - y) ** 2).mean(), new["batch_stats"]

    (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(state["params"])
    updates, opt_state = TX.update(grads, state["opt_state"])
    params = optax.apply_updates(state["params"], updates)
    return {"params": params, "batch_stats": stats, "opt_state": opt_state}, value


def predict(state: dict[str, Any], x: jax.Array) -> jax.Array:
    return Model().apply({k: state[k] for k in ("params", "batch_stats")}, x)


def seed() -> jax.Array:
    return jax.random.key_data(jax.random.key(0))


def names(tensors: list[loom.Tensor], role: str) -> list[str]:
    return [t.path for t in tensors if t.role == role]


PATHS = [
    "batch_stats/encoder/BatchNorm_0/mean",
    "batch_stats/encoder/BatchNorm_0/var",
    *(
        f"{place}/{layer}"
        for place in ("opt_state/0/trace", "params")
        for layer in (
            "encoder/BatchNorm_0/bias",
            "encoder/BatchNorm_0/scale",
            "encoder/Dense_0/bias",
            "encoder/Dense_0/kernel",
            "head/bias",
            "head/kernel",
        )
    ),
]


def test_entries_share_the_names_of_the_state(tmp_path):
    entries = {
        "init": Entry.create(init, seed()),
        "train": Entry.update(train, X, Y),
        "eval": Entry.read(predict, X),
        "double": Entry.call(lambda x: x * 2, X),
    }
    bundle = loom.export(Model(), entries=entries, path=tmp_path / "m")
    made, trained, read, plain = (bundle.entry(n) for n in entries)
    assert [t.path for t in made.inputs] == ["seed"] and made.inputs[0].role == "input"
    assert names(made.outputs, "state") == PATHS and names(made.outputs, "output") == []
    assert names(trained.inputs, "state") == names(trained.outputs, "state") == PATHS
    assert names(trained.inputs, "input") == ["x", "y"]
    assert names(trained.outputs, "output") == ["result"]
    assert len(trained.donated) == len(PATHS)
    assert names(read.inputs, "state") == PATHS and names(read.outputs, "state") == []
    assert read.donated == [] and plain.of_role("state") == []
    # No value is known before init has run: the state begins as zeros.
    assert not (tmp_path / "m/state.safetensors").exists()


def test_initial_state_is_stored(tmp_path):
    state = init(seed())
    loom.export(None, entries={"train": Entry.update(train, X, Y)}, state=state, path=tmp_path / "m")
    stored = load_file(tmp_path / "m/state.safetensors")
    assert sorted(stored) == PATHS
    np.testing.assert_array_equal(
        stored["params/head/kernel"], np.asarray(state["params"]["head"]["kernel"])
    )
    assert json.loads((tmp_path / "m/model.json").read_text())["producer"]["source"] == "entries"


def test_train_state_fields_name_the_leaves(tmp_path):
    variables = Model().init(jax.random.key(0), X)
    state = train_state.TrainState.create(
        apply_fn=Model().apply, params=variables["params"], tx=optax.sgd(0.1)
    )

    def count(state):
        return state.replace(step=state.step + 1), state.step

    bundle = loom.export(
        Model(), entries={"count": Entry.update(count)}, state=state, path=tmp_path / "m"
    )
    paths = names(bundle.entry("count").inputs, "state")
    assert "step" in paths and "params/head/kernel" in paths


def test_constants_come_first(tmp_path):
    def step(params, state, x):
        return {"sum": state["sum"] + x @ params["w"]}, state["sum"]

    bundle = loom.export(
        None,
        entries={"step": Entry.update(step, jnp.ones((3, 4)))},
        params={"w": jnp.ones((4, 2))},
        state={"sum": jax.ShapeDtypeStruct((3, 2), jnp.float32)},
        path=tmp_path / "m",
    )
    roles = [(t.path, t.role) for t in bundle.entry("step").inputs]
    assert roles == [("params/w", "param"), ("sum", "state"), ("x", "input")]


def test_a_key_in_the_state_is_its_words(tmp_path):
    def draw(state):
        key, use = jax.random.split(state["rng"])
        return {"rng": key}, jax.random.uniform(use, (3,))

    bundle = loom.export(
        None, entries={"draw": Entry.update(draw)}, state={"rng": jax.random.key(7)}, path=tmp_path / "m"
    )
    (rng,) = bundle.entry("draw").of_role("state")
    assert (rng.path, rng.dtype, rng.shape) == ("rng", "u32", (2,))
    np.testing.assert_array_equal(load_file(tmp_path / "m/state.safetensors")["rng"], [0, 7])


def test_submodules_of_setup_and_compact(tmp_path):
    entries = {
        "encoder": Entry.submodule("encoder", X, train=False),
        "dense": Entry.submodule("encoder/Dense_0", X),
    }
    variables = Model().init(jax.random.key(0), X)
    bundle = loom.export(Model(), entries=entries, params=variables, path=tmp_path / "m")
    rows = [(t.path, t.role, t.shape) for t in bundle.entry("dense").inputs]
    assert rows == [
        ("params/encoder/Dense_0/bias", "param", (8,)),
        ("params/encoder/Dense_0/kernel", "param", (5, 8)),
        ("arg0", "input", (4, 5)),
    ]
    (out,) = bundle.entry("dense").outputs
    assert out.shape == (4, 8)
    assert names(bundle.entry("encoder").inputs, "param")[0].startswith("params/encoder/")
    # Of the whole state, an entry for a part has only its own.
    state = {"params": variables["params"], "batch_stats": variables["batch_stats"]}
    bundle = loom.export(Model(), entries=entries, state=state, path=tmp_path / "s")
    assert len(bundle.entry("dense").of_role("state")) == 2


def test_nnx_model_and_optimiser(tmp_path):
    model = nnx.Linear(5, 3, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

    def step(model, optimizer, x, y):
        value, grads = nnx.value_and_grad(lambda m: ((m(x) - y) ** 2).mean())(model)
        optimizer.update(model, grads)
        return value

    entries = {
        "train": Entry.update(step, X, Y),
        "eval": Entry.read(lambda model, optimizer, x: model(x), X),
    }
    both = {"model": model, "optimizer": optimizer}
    bundle = loom.export(both, entries=entries, path=tmp_path / "m")
    trained = bundle.entry("train")
    state = names(trained.inputs, "state")
    assert state == names(trained.outputs, "state") == names(bundle.entry("eval").inputs, "state")
    assert "params/model/kernel" in state and len(state) == 8
    assert names(trained.inputs, "input") == ["x", "y"]
    one = loom.export(
        model, entries={"eval": Entry.read(lambda model, x: model(x), X)}, path=tmp_path / "o"
    )
    assert names(one.entry("eval").inputs, "state") == ["params/bias", "params/kernel"]


def refused(words: str, tmp_path, target=None, **arguments) -> None:
    with pytest.raises(loom.ExportError, match=words):
        loom.export(target, path=tmp_path / "m", **arguments)
    assert not (tmp_path / "m").exists()


S = {"a": jnp.zeros(3), "b": jnp.zeros((), jnp.int32)}


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda s: s, r"step: returned a dict; an entry of loom.Entry.update returns \(state, result"),
        (lambda s: ({"a": s["a"]}, 0.0), r"changes which state leaves exist \(2 before, 1 after: b"),
        (
            lambda s: ({**s, "a": s["a"][:2]}, 0.0),
            r"state a is f32\[3\] and becomes f32\[2\]; keep its shape",
        ),
        (lambda s: ({**s, "b": s["b"] + 0.5}, 0.0), r"state b is i32\[\] and becomes f32\[\]"),
    ],
)
def test_state_that_changes_its_form_is_refused(tmp_path, fn, words):
    refused(words, tmp_path, entries={"step": Entry.update(fn)}, state=S)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"entries": {}}, "entries= must be a dict with at least one name"),
        ({"entries": {"f": predict}}, "f: a function is no entry; use loom.Entry.call"),
        ({"entries": {"a/b": Entry.call(jnp.sin, X)}}, "a name is a text without a slash"),
        ({"entries": {"f": Entry.read(predict, X)}}, "f: there is no state to read; pass its initial"),
        ({"entries": {"f": Entry.call(jnp.sin, X)}, "args": (X,)}, "args= does not apply to entries="),
        (
            {"entries": {"f": Entry.submodule("encoder", X)}, "state": S},
            "a submodule is of a linen module",
        ),
        ({"entries": {"f": Entry.create(lambda x: 1 / 0, X)}}, "tracing f failed: ZeroDivisionError"),
    ],
)
def test_refusals(tmp_path, arguments, words):
    refused(words, tmp_path, **arguments)


def test_submodule_that_is_not_called_is_refused_with_those_that_are(tmp_path):
    variables = Model().init(jax.random.key(0), X)
    refused(
        "calls no submodule 'decoder'; it calls: encoder, encoder/Dense_0, encoder/BatchNorm_0, head",
        tmp_path,
        Model(),
        entries={"f": Entry.submodule("decoder", X)},
        params=variables,
    )
    refused(
        "needs the variables that module.init returned",
        tmp_path,
        Model(),
        entries={"f": Entry.submodule("encoder", X)},
        params={"kernel": X},
    )


def test_nnx_refusals(tmp_path):
    model = nnx.Linear(5, 3, rngs=nnx.Rngs(0))
    refused(
        "nnx objects are created before export", tmp_path, model,
        entries={"f": Entry.create(lambda m: m)},
    )
    refused(
        "state= does not apply to nnx objects", tmp_path, model,
        entries={"f": Entry.read(lambda m, x: m(x), X)}, state=S,
    )


def test_state_without_entries_is_refused(tmp_path):
    with pytest.raises(loom.ExportError, match="state= does not apply to a call without entries="):
        loom.export(lambda x: x, (X,), state=S, path=tmp_path / "m")
