# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""loom.placement and loom.report: what loomc says, as tables for terminals and notebooks."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import loom
from loom import tables


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), name="conv")(x))
        x = nn.Dense(10, name="head")(x.reshape(x.shape[0], -1))
        return jnp.linalg.cholesky(x @ x.T + jnp.eye(x.shape[0]))


X = np.ones((2, 8, 8, 1), np.float32)
NET = Net()
PARAMS = NET.init(jax.random.key(0), X)


@pytest.fixture(scope="module")
def placed():
    return loom.placement(NET.apply, PARAMS, X)


@pytest.fixture(scope="module")
def told():
    return loom.report(NET.apply, PARAMS, X)


def test_placement_is_what_loomc_says(placed, tool, tmp_path):
    loom.export(lambda p, x: NET.apply(p, x), (X,), params=PARAMS, path=tmp_path / "m.bundle")
    out = tool("loomc", tmp_path / "m.bundle", "-o", tmp_path / "m.loom", "--placement=json")
    cpu = json.loads(out)["cpu"]
    assert [(o.operation, o.why) for o in placed.cpu] == [(o["operation"], o["why"]) for o in cpu]
    assert {o.engine for o in placed.operations} == {"NPU", "CPU"}
    assert any("cholesky" in o.operation for o in placed.cpu)


def test_order_and_sums(placed, told):
    segments = [o.segment for o in placed.operations]
    assert segments == sorted(segments)
    assert placed.cycles == told.cycles > 0
    assert told.macs >= 2 * 8 * 8 * 9 * 8 + 2 * 512 * 10
    assert len(told.layers) == len(placed.npu)


def test_modules_are_named(placed):
    modules = " ".join(o.module for o in placed.operations)
    assert "conv" in modules and "head" in modules


def test_terminal(placed, told, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for text in (str(placed), str(told)):
        lines = text.splitlines()
        assert "npu64" in lines[0] and "cycles" in lines[0]
        assert all(len(line) <= 100 for line in lines[1:])
        assert len(lines) > 4


class Checker(HTMLParser):
    VOID = ("rect", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [f"{k}={v}" for k, v in attrs]
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [f"{k}={v}" for k, v in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_whole_and_stands_alone(placed, told):
    for thing in (placed, told):
        checker = Checker()
        checker.feed(thing._repr_html_())
        assert checker.open == []
        assert {"table", "svg", "rect"} <= set(checker.tags)
        assert not {"script", "link", "img", "style", "iframe"} & set(checker.tags)
        assert not [a for a in checker.attributes if a.startswith(("href", "src", "on"))]
        assert "http" not in thing._repr_html_() and "url(" not in thing._repr_html_()


def test_html_escapes():
    row = ["<script>alert(1)</script>"]
    assert "<script>" not in tables.html_table([tables.Column("a")], [row])


def test_target_by_name_and_variable(monkeypatch):
    def f(x):
        return x @ x

    x = jax.ShapeDtypeStruct((64, 64), jnp.float32)
    small, large = loom.report(f, x, target="npu8"), loom.report(f, x, target="npu128")
    assert small.cycles > large.cycles
    monkeypatch.setenv("LOOM_DEVICE", "sim:npu64")
    assert loom.report(f, x).target == "npu64"
    monkeypatch.setenv("LOOM_DEVICE", "sim")
    monkeypatch.setenv("LOOM_TARGET", "npu8")
    assert loom.report(f, x).cycles == small.cycles
    with pytest.raises(loom.DeviceError, match="npu8, npu16, npu64, npu128"):
        loom.report(f, x, target="npu3")


def test_nnx_module_and_jitted_function():
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    assert loom.report(model, jnp.ones((2, 4))).macs >= 24
    assert loom.report(jax.jit(lambda x: x @ x), jnp.ones((4, 4))).macs >= 64


def test_refusals():
    with pytest.raises(loom.CompileError, match="test_inspection.py.*'eigh'"):
        loom.placement(lambda x: jnp.linalg.eigh(x)[0], jnp.eye(3))
    with pytest.raises(loom.CompileError, match="test_inspection.py"):
        loom.placement(lambda x: x @ jnp.ones(5), jnp.eye(3))


def test_nothing_to_run():
    assert str(loom.placement(lambda x: x, jnp.eye(3))).startswith("<lambda> on npu64: 0 layers")
    assert "0 cycles" in loom.report(lambda x: x, jnp.eye(3))._repr_html_()


@pytest.mark.parametrize(
    "value, text", [(0, "0 B"), (999, "999 B"), (1536, "1.5 KiB"), (5 << 20, "5 MiB")]
)
def test_size(value, text):
    assert tables.size(value) == text
