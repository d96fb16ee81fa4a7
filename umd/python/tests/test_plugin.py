# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The platform 'loom' in JAX: it is registered, chosen as asked, and in trouble never in the way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from loom import versions

DEVICES = "import jax; print(jax.devices()); print(jax.jit(lambda x: x + 1)(1.0))"


def test_import_does_not_import_jax(python):
    done = python("import sys, loom; print('jax' in sys.modules, 'flax' in sys.modules)")
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_cpu_does_not_open_the_library(python):
    code = DEVICES + "; print('libloom_pjrt' in open('/proc/self/maps').read())"
    done = python(code, JAX_PLATFORMS="cpu")
    assert done.stdout.splitlines() == ["[CpuDevice(id=0)]", "2.0", "False"], done.stderr


@pytest.mark.parametrize("platforms", ["loom", "loom,cpu", None])
def test_loom_is_the_default(python, platforms):
    done = python(DEVICES, JAX_PLATFORMS=platforms, LOOM_DEVICE="sim")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert "loom" in lines[0].lower() and lines[1] == "2.0"
    assert "experimental" not in done.stderr


def test_cpu_beside_loom(python):
    code = """
import jax, jax.numpy as jnp
cpu = jax.devices("cpu")[0]
x = jnp.arange(4.0)
print(x.devices().pop().platform, jax.device_put(x, cpu).devices().pop().platform)
with jax.default_device(cpu):
    print(jnp.linalg.eigh(jnp.eye(2))[0])
print((x + 1).devices().pop().platform)
"""
    for platforms in ("loom,cpu", None):
        done = python(code, JAX_PLATFORMS=platforms, LOOM_DEVICE="sim")
        assert done.stdout.splitlines() == ["loom cpu", "[1. 1.]", "loom"], done.stderr


def test_donation(python):
    code = """
import jax, jax.numpy as jnp
step = jax.jit(lambda s: s + 1, donate_argnums=0)
s = jnp.zeros(1000)
t = step(s)
print(s.is_deleted(), float(t.sum()))
"""
    done = python(code, JAX_PLATFORMS="loom,cpu", LOOM_DEVICE="sim")
    assert done.stdout.split() == ["True", "1000.0"], done.stderr
    assert "onation is not implemented" not in done.stderr


def test_typed_keys(python):
    code = """
import jax
f = lambda key: jax.random.bits(key, (3,))
print(*jax.jit(f)(jax.random.key(7)))
with jax.default_device(jax.devices("cpu")[0]):
    print(*jax.jit(f)(jax.random.key(7)))
"""
    done = python(code, JAX_PLATFORMS="loom,cpu", LOOM_DEVICE="sim")
    ours, cpu = done.stdout.splitlines()
    assert ours == cpu and len(ours.split()) == 3, done.stderr


@pytest.mark.parametrize(
    "call, name",
    [
        ("jnp.linalg.eigh(x)", "eigh"),
        ("jnp.linalg.svd(x)", "svd"),
        ("jax.debug.print('{x}', x=x)", "debug_print"),
        ("jax.pure_callback(lambda y: y, x, x)", "pure_callback"),
    ],
)
def test_refused_primitive(python, call, name):
    code = f"""
import jax, jax.numpy as jnp
def f(x):
    return {call}
try:
    jax.jit(f)(jnp.eye(3))
except NotImplementedError as e:
    print(e)
print(jnp.ones(3).sum())
"""
    done = python(code, JAX_PLATFORMS="loom,cpu", LOOM_DEVICE="sim")
    told, after = done.stdout.splitlines()
    assert f"'{name}'" in told and "jax.default_device(jax.devices('cpu')[0])" in told
    assert after == "3.0", done.stderr


# --- trouble: one sentence, and other platforms go on working -----------------


def other_jax(tmp_path: Path) -> dict[str, str]:
    for name in ("jax", "jaxlib"):
        info = tmp_path / f"{name}-0.99.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.99.0\n")
    return {"path": str(tmp_path)}


def no_library(tmp_path: Path) -> dict[str, str]:
    return {"LOOM_LIBRARY": str(tmp_path / "libloom_pjrt.so")}


def no_elf(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bad.so").write_text("not a library\n")
    return {"LOOM_LIBRARY": str(tmp_path / "bad.so")}


def cut_off(tmp_path: Path) -> dict[str, str]:
    with open(os.environ["LOOM_LIBRARY"], "rb") as whole:
        (tmp_path / "bad.so").write_bytes(whole.read(1 << 20))
    return {"LOOM_LIBRARY": str(tmp_path / "bad.so")}


def other_library(tmp_path: Path) -> dict[str, str]:
    source, target = tmp_path / "a.c", tmp_path / "other.so"
    source.write_text("int answer(void) { return 42; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", target], check=True)
    return {"LOOM_LIBRARY": str(target)}


TROUBLE = {
    "another jax": (other_jax, "pip install jax=="),
    "library missing": (no_library, "LOOM_LIBRARY"),
    "library no ELF": (no_elf, "reinstall"),
    "library cut off": (cut_off, "reinstall"),
    "library of others": (other_library, "reinstall"),
    "missing node": (lambda _: {"LOOM_DEVICE": "/dev/accel/accel77"}, "accel77"),
    "device of no kind": (lambda _: {"LOOM_DEVICE": "gpu"}, "sim:TARGET"),
    "target": (lambda _: {"LOOM_DEVICE": "sim:npu17"}, "npu16"),
    "target by variable": (lambda _: {"LOOM_TARGET": "npu17"}, "npu16"),
    "no number": (lambda _: {"LOOM_SIM_DEVICES": "many"}, "LOOM_SIM_DEVICES"),
    "no devices": (lambda _: {"LOOM_SIM_DEVICES": "0"}, "LOOM_SIM_DEVICES"),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble(python, tmp_path, name):
    make, words = TROUBLE[name]
    wrong = make(tmp_path)
    asked = python(DEVICES, JAX_PLATFORMS="loom", **wrong)
    assert asked.returncode == 1
    last = asked.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: Unable to initialize backend 'loom': "), asked.stderr
    assert words in last

    unset = python(DEVICES, JAX_PLATFORMS=None, **wrong)
    assert unset.stdout.splitlines() == ["[CpuDevice(id=0)]", "2.0"], unset.stderr
    (line,) = unset.stderr.splitlines()
    assert words in line and line.endswith("; JAX goes on without loom")


@pytest.mark.parametrize("name", ["another jax", "library cut off"])
def test_trouble_is_nothing_to_the_cpu(python, tmp_path, name):
    done = python(DEVICES, JAX_PLATFORMS="cpu", **TROUBLE[name][0](tmp_path))
    assert done.stdout.splitlines() == ["[CpuDevice(id=0)]", "2.0"]
    assert done.stderr == ""


def test_another_jax_names_both_versions(python, tmp_path):
    done = python(DEVICES, JAX_PLATFORMS=None, **other_jax(tmp_path))
    assert f"loom-npu {versions.__version__}" in done.stderr and "jax 0.99.0" in done.stderr


def test_metadata_follows_the_matrix():
    import tomllib

    file = Path(__file__).resolve().parents[1] / "pyproject.toml"
    project = tomllib.loads(file.read_text())["project"]
    tested = [tuple(map(int, v.split("."))) for v in versions.PLUGIN_JAX]
    low = ".".join(map(str, min(tested)))
    above = f"{max(tested)[0]}.{max(tested)[1] + 1}"
    for name in ("jax", "jaxlib"):
        assert f"{name}>={low},<{above}" in project["dependencies"]
    assert project["entry-points"]["jax_plugins"] == {"loom": "loom.plugin"}
