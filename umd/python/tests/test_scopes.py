# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names that nnx modules leave in an artifact."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from flax import nnx

import loom
from loom import Entry
from loom.scopes import part_names

X = jnp.ones((4, 5))


class Scaled(nnx.Linear):
    """Calls the class that it comes from."""

    def __call__(self, x):
        return 2 * super().__call__(x)


class Encoder(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(5, 5, rngs=rngs), Scaled(5, 5, rngs=rngs)])
        self.parts = nnx.Dict(mean=nnx.Linear(5, 2, rngs=rngs))

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.parts["mean"](x)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.encoder = Encoder(rngs)
        self.head = nnx.Linear(2, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(self.encoder(x))

    def encode(self, x):
        return self.encoder(x)


def artifact(path, **how) -> bytes:
    bundle = loom.export(**how, path=path)
    return (bundle.path / bundle.entry_points[0].artifact).read_bytes()


def test_parts_by_their_attributes(tmp_path):
    text = artifact(tmp_path / "b", fn_or_module=Net(nnx.Rngs(0)), args=(X,))
    for name in ("encoder/layers_0", "encoder/layers_1", "encoder/parts_mean", "head"):
        assert f"Net/{name}/dot_general".encode() in text
    assert b"layers_1/layers_1" not in text and b"layers_1/Scaled" not in text


def test_methods_name_the_parts_that_they_call(tmp_path):
    text = artifact(tmp_path / "b", fn_or_module=Net(nnx.Rngs(0)), args=(X,), methods=["encode"])
    assert b"Encoder/layers_0/dot_general" in text


def test_gradients_have_the_names_of_what_they_are_of(tmp_path):
    def train(model, x):
        value, grads = nnx.value_and_grad(lambda m: (m(x) ** 2).mean())(model)
        nnx.update(model, grads)
        return value

    entries = {"train": Entry.update(train, X)}
    text = artifact(tmp_path / "b", fn_or_module=Net(nnx.Rngs(0)), entries=entries)
    assert b"transpose(jvp(Net))/encoder/layers_0/dot_general" in text


class Silent(nnx.Module):
    """Has methods only."""

    def __init__(self, rngs):
        self.net = Net(rngs)

    def twice(self, x):
        return self.net(x), self.net.encode(x)


def test_a_class_without_a_call_gets_none(tmp_path):
    silent = Silent(nnx.Rngs(0))
    with part_names(silent), pytest.raises(TypeError, match="not callable"):
        silent(X)
    text = artifact(tmp_path / "b", fn_or_module=silent, args=(X,), methods=["twice"])
    assert b"Net/encoder/layers_0/dot_general" in text


def test_classes_are_left_as_they_were():
    before = {cls: dict(vars(cls)) for cls in (Net, Encoder, Scaled, nnx.Linear)}
    net = Net(nnx.Rngs(0))
    with pytest.raises(TypeError), part_names(net):
        net("no array")
    assert {cls: dict(vars(cls)) for cls in before} == before
