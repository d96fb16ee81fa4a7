# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What an installed loom-npu has to do beside nothing but JAX and Flax. `./dev test wheel` runs it with the python of
a clean venv; it uses nothing of the checkout but the README that it is given."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

CHECKS: list[Callable[[Path], None]] = []


def check(function: Callable[[Path], None]) -> Callable[[Path], None]:
    CHECKS.append(function)
    return function


def python(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", *args], env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=300)


@check
def installed_here(readme: Path) -> None:
    """The package is the installed one, and does not import jax."""
    done = python("-c", "import sys, loom; print(loom.__file__, 'jax' in sys.modules)")
    place, jax = done.stdout.split()
    assert "site-packages" in place and jax == "False", done.stdout + done.stderr


@check
def doctor(readme: Path) -> None:
    """Nothing is missing."""
    done = python("-m", "loom", "doctor")
    print(done.stdout, end="")
    assert done.returncode == 0, done.stdout + done.stderr


@check
def first_screen(readme: Path) -> None:
    """README's script prints what README says."""
    script, expected = first_script(readme.read_text())
    done = python("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected.strip(), f"it prints\n{done.stdout}\nand README says\n{expected}"


def first_script(text: str) -> tuple[str, str]:
    """README's first Python that imports flax, and the block after it."""
    found = re.search(r"```python\n([^`]*import flax.*?)```.*?```\n(.*?)```", text, re.S)
    assert found, "README has no script that imports flax"
    return found[1], found[2]


@check
def platforms(readme: Path) -> None:
    """loom is the default, with the CPU beside it, whether asked for or not."""
    code = "import jax; print(jax.devices()[0].platform, jax.devices('cpu')[0].platform)"
    for value in ("loom,cpu", ""):
        done = python("-c", code, JAX_PLATFORMS=value)
        assert done.stdout.split() == ["loom", "cpu"], done.stderr
    done = python("-c", "import jax; print(jax.devices()[0].platform)", JAX_PLATFORMS="cpu")
    assert done.stdout.split() == ["cpu"] and not done.stderr, done.stderr


@check
def training(readme: Path) -> None:
    """Twenty Adam steps of a Flax network, state donated: the losses of JAX's CPU, and all of it on loom."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    import optax

    import loom

    net, tx = nn.Sequential([nn.Dense(32), nn.relu, nn.Dense(4)]), optax.adam(1e-2)

    def step(state, x, y):
        def loss(params):
            logits = net.apply(params, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        value, grads = jax.value_and_grad(loss)(state[0])
        updates, opt = tx.update(grads, state[1])
        return (optax.apply_updates(state[0], updates), opt), value

    def train(device):
        with jax.default_device(device):
            x = jax.random.normal(jax.random.key(1), (64, 8))
            y = (x[:, 0] > 0).astype(jnp.int32) + 2 * (x[:, 1] > 0)
            params = net.init(jax.random.key(0), x)
            state, run, losses = (params, tx.init(params)), jax.jit(step, donate_argnums=0), []
            for _ in range(20):
                before = state
                state, value = run(state, x, y)
                losses.append(float(value))
            return losses, jax.tree.leaves(before[0])[0].is_deleted()

    ours, gone = train(jax.devices("loom")[0])
    cpu, _ = train(jax.devices("cpu")[0])
    assert gone, "the donated parameters are still there"
    assert max(abs(a - b) for a, b in zip(ours, cpu, strict=True)) < 1e-3, (ours, cpu)
    assert ours[-1] < ours[0] / 2
    counters = loom.counters()
    assert counters.executions >= 20 and counters.failures == 0, counters


@check
def inspection(readme: Path) -> None:
    """placement and report of a Flax module."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    import loom

    net, x = nn.Dense(10), jnp.ones((8, 16))
    params = net.init(jax.random.key(0), x)
    placed, told = loom.placement(net.apply, params, x), loom.report(net.apply, params, x)
    assert placed.npu and not placed.cpu and placed.cycles == told.cycles > 0
    assert told.macs == 8 * 16 * 10, told
    assert "<svg" in placed._repr_html_() and "npu64" in str(told)


@check
def device(readme: Path) -> None:
    """Without JAX: the device answers, and a file that is no program is refused."""
    import loom

    with loom.Device("sim:npu64") as d:
        assert d.target.rows == 64 and d.stats().jobs_faulted == 0
    with tempfile.NamedTemporaryFile(suffix=".loom") as f:
        try:
            loom.load(f.name, "sim")
        except loom.ProgramError as e:
            assert "loomc" in str(e)
        else:
            raise AssertionError("an empty file was loaded")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--readme", type=Path, required=True)
    options = parser.parse_args()
    failed = 0
    for function in CHECKS:
        try:
            function(options.readme)
            print(f"ok   {function.__name__}", flush=True)
        except Exception:
            failed += 1
            text = traceback.format_exc().strip().splitlines()
            print(f"FAIL {function.__name__}: {text[-1]}\n" + "\n".join("     " + t for t in text), flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
