# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong: JAX's own exceptions, one clear message, and everything else goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plugin import environment, run

GOES_ON = "assert float(jax.jit(lambda x: x + 1)(1.0)) == 2"


def still_works(cpu: jax.Device) -> None:
    assert float(jax.jit(lambda x: x + 1)(1.0)) == 2
    with jax.default_device(cpu):
        assert float(jax.jit(lambda x: x + 2)(1.0)) == 3


def ended_well(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"code {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_unsupported_primitive(cpu: jax.Device) -> None:
    """JAX has no rule for it: its name, and the user's line in the traceback."""
    x = jnp.eye(3)
    with pytest.raises(NotImplementedError, match="eigh.*CPU") as caught:
        jax.jit(lambda x: jnp.linalg.eigh(x)[0])(x)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert any("linalg.eigh" in (frame.line or "") for frame in frames)
    # What the message says helps: the same on the CPU.
    w = jax.jit(lambda x: jnp.linalg.eigh(x)[0])(jax.device_put(x, cpu))
    np.testing.assert_allclose(np.asarray(w), 1)
    still_works(cpu)


def test_unsupported_type(cpu: jax.Device) -> None:
    """The compiler refuses it: what, where in the user's file, what to do."""
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        x = jnp.zeros(4, jnp.float8_e4m3fn)
        jax.jit(lambda x: x.astype(jnp.float32) * 2)(x).block_until_ready()
    text = str(caught.value)
    assert "UNIMPLEMENTED" in text or "INVALID_ARGUMENT" in text
    assert "f8" in text or "F8" in text
    still_works(cpu)


@pytest.mark.parametrize("shape", [((1 << 28) + 1,), ((1 << 31) + 1,), (1 << 40,)])
def test_array_that_no_device_has(cpu: jax.Device, shape: tuple[int, ...]) -> None:
    """More than 1 GiB, as an argument and as a result alone: refused before anything of that size is made."""
    as_argument = jax.jit(lambda x: x[:3] + 1).lower(jax.ShapeDtypeStruct(shape, jnp.float32))
    as_result = jax.jit(lambda: jnp.zeros(shape)).lower()
    for lowered, what in ((as_argument, "argument 0"), (as_result, "result 0")):
        with pytest.raises(jax.errors.JaxRuntimeError) as caught:
            lowered.compile()
        text = str(caught.value)
        assert "UNIMPLEMENTED" in text and "test_bad_input.py:" in text, text
        assert f"{what} of main has type tensor<{shape[0]}xf32>: an array ends at 1 GiB; split it or" in text, text
    still_works(cpu)


def test_callback(cpu: jax.Device) -> None:
    with pytest.raises((NotImplementedError, ValueError, jax.errors.JaxRuntimeError)) as caught:
        jax.jit(lambda x: jax.pure_callback(np.sin, x, x))(jnp.ones(3)).block_until_ready()
    assert "allback" in str(caught.value)
    still_works(cpu)


def test_debug_nans(cpu: jax.Device) -> None:
    with jax.debug_nans(True):
        with pytest.raises(FloatingPointError, match="nan"):
            jax.jit(lambda x: jnp.log(x - 2))(1.0).block_until_ready()
        with pytest.raises(FloatingPointError, match="nan"):
            jnp.zeros(3) / 0
    with jax.debug_infs(True), pytest.raises(FloatingPointError, match="inf"):
        (jnp.ones(3) / 0).block_until_ready()
    still_works(cpu)


def test_f64_without_x64() -> None:
    """As on every platform: f32, and a warning."""
    with pytest.warns(UserWarning, match="float64"):
        assert jnp.ones(3, jnp.float64).dtype == jnp.float32


def test_f64() -> None:
    """With x64 it is computed in 64 bits."""
    done = run(
        "import jax, jax.numpy as jnp, numpy as np\n"
        "jax.config.update('jax_enable_x64', True)\n"
        "x = jnp.linspace(0, 1, 50)\n"
        "y = jax.jit(lambda x: jnp.exp(x) @ x)(x)\n"
        "assert y.dtype == jnp.float64 and jax.devices()[0].platform == 'loom'\n"
        "x = np.linspace(0, 1, 50)\n"
        "assert abs(float(y) - np.exp(x) @ x) < 1e-13 * abs(float(y))\n"
    )
    ended_well(done)


def test_threads_compile(cpu: jax.Device) -> None:
    """Eight threads, programs of their own and shared ones."""
    wrong: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for k in range(6):
                mine = jax.jit(lambda x, c=float(seed * 10 + k): x * c)
                shared = jax.jit(lambda x: jnp.sin(x).sum() + 123)
                x = jnp.arange(4.0) + seed
                np.testing.assert_allclose(mine(x), np.asarray(x) * (seed * 10 + k), rtol=1e-6)
                np.testing.assert_allclose(shared(x), np.sin(np.asarray(x)).sum() + 123, rtol=1e-6)
        except BaseException as e:
            wrong.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not any(t.is_alive() for t in threads)
    assert not wrong, wrong
    still_works(cpu)


def test_fork_after_use() -> None:
    """JAX warns of a fork; a child that leaves JAX alone ends with os._exit, and its parent goes on.

    JAX on the CPU alone does not survive more, either.
    """
    done = run(
        "import os, signal, jax, warnings\n"
        "f = jax.jit(lambda x: x + 1)\n"
        "f(1.0).block_until_ready()\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    pid = os.fork()\n"
        "if not pid:\n"
        "    signal.alarm(20)\n"
        "    os._exit(7)\n"
        "assert any('fork' in str(w.message) for w in caught)\n"
        "status = os.waitpid(pid, 0)[1]\n"
        "assert os.waitstatus_to_exitcode(status) == 7, status\n"
        "assert float(f(4.0)) == 5\n",
        timeout=120,
    )
    ended_well(done)


def test_exit_with_work_in_flight() -> None:
    done = run(
        "import jax, jax.numpy as jnp\n"
        "work = jax.jit(lambda x: jax.lax.fori_loop(0, 60, lambda i, v: v @ v / 512, x))\n"
        "x = jnp.ones((512, 512))\n"
        "for _ in range(4):\n"
        "    x = work(x)\n"
        "print('leaving')\n",
        timeout=180,
    )
    ended_well(done)
    assert "leaving" in done.stdout


def test_interrupted() -> None:
    """Ctrl-C during a long job: KeyboardInterrupt at once or when the job ends, then JAX goes on."""
    code = (
        "import signal, jax, jax.numpy as jnp\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "work = jax.jit(lambda x: jax.lax.fori_loop(0, 60, lambda i, v: v @ v / 512, x))\n"
        "x = jnp.ones((512, 512))\n"
        "work(x).block_until_ready()\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    while True:\n"
        "        x = work(x)\n"
        "        x.block_until_ready()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        "assert float(jax.jit(lambda x: x + 1)(1.0)) == 2\n"
        "print('goes on', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment("loom,cpu"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        try:
            out, err = child.communicate(timeout=120)
        finally:
            child.kill()
        assert child.returncode == 0, err
        assert out == "interrupted\ngoes on\n"


def test_out_of_memory() -> None:
    """More than the device has, put there or computed: RESOURCE_EXHAUSTED; what fits still does."""
    done = run(
        "import jax, jax.numpy as jnp, numpy as np\n"
        "def refused(f):\n"
        "    try:\n"
        "        f().block_until_ready()\n"
        "    except jax.errors.JaxRuntimeError as e:\n"
        "        assert 'RESOURCE_EXHAUSTED' in str(e), e\n"
        "    else:\n"
        "        raise SystemExit('it was not refused')\n"
        "x = jnp.ones(1 << 22)\n"
        "refused(lambda: jax.device_put(np.ones(1 << 25, np.float32)))\n"
        "refused(lambda: jax.jit(lambda x: jnp.concatenate([x, x, x, x]) + 1)(x))\n"
        "assert float(jax.jit(lambda x: x + 1)(x)[5]) == 2\n"
        "cpu = jax.devices('cpu')[0]\n"
        "assert jax.device_put(np.ones(1 << 25, np.float32), cpu).shape == (1 << 25,)\n",
        LOOM_MEMORY_LIMIT=str(64 << 20),
    )
    ended_well(done)


def test_used_after_donation(cpu: jax.Device) -> None:
    x = jnp.ones(3)
    jax.jit(lambda x: x + 1, donate_argnums=0)(x)
    with pytest.raises(RuntimeError, match="deleted"):
        x + 1
    still_works(cpu)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/accel/accel77", "nonsense", "sim:npu0"])
def test_broken_device(device: str) -> None:
    """Asked for by name: a sentence that says which. Not asked for: the CPU works."""
    done = run("import jax; jax.devices()", LOOM_DEVICE=device)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: Unable to initialize backend 'loom'")
    assert device in last or "npu0" in last
    code = f"import jax; assert jax.devices()[0].platform == 'cpu'; {GOES_ON}"
    ended_well(run(code, platforms="cpu", LOOM_DEVICE=device))
    ended_well(run(code, platforms="", LOOM_DEVICE=device))


def test_no_library(tmp_path: Path) -> None:
    missing = str(tmp_path / "libloom_pjrt.so")
    done = run("import jax; jax.devices()", LOOM_LIBRARY=missing)
    assert done.returncode == 1
    assert missing in done.stderr
    code = f"import jax; assert jax.devices()[0].platform == 'cpu'; {GOES_ON}"
    ended_well(run(code, platforms="cpu", LOOM_LIBRARY=missing))
    ended_well(run(code, platforms="", LOOM_LIBRARY=missing))


def test_several_devices() -> None:
    """Copies between them; a program over two is refused, not computed wrongly."""
    done = run(
        "import jax, jax.numpy as jnp, numpy as np\n"
        "a, b = jax.devices('loom')\n"
        "x = jax.device_put(np.arange(6.0, dtype=np.float32), a)\n"
        "y = jax.device_put(x, b)\n"
        "assert y.devices() == {b} and not x.is_deleted()\n"
        "z = jax.jit(lambda v: v * 2)(y)\n"
        "assert z.devices() == {b}\n"
        "np.testing.assert_array_equal(z, np.arange(6) * 2)\n"
        "mesh = jax.make_mesh((2,), ('d',), devices=[a, b])\n"
        "spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('d'))\n"
        "sums = jax.shard_map(lambda v: jax.lax.psum(v, 'd'), mesh=mesh, in_specs=spread.spec, out_specs=spread.spec)\n"
        "for f in (jax.jit(lambda v: v.sum()), jax.jit(sums)):\n"
        "    try:\n"
        "        f(jax.device_put(np.ones(6, np.float32), spread))\n"
        "    except jax.errors.JaxRuntimeError as e:\n"
        "        assert '1 replicas of 2 partitions' in str(e) and 'mesh of one device' in str(e), e\n"
        "    else:\n"
        "        raise SystemExit('it was not refused')\n"
        f"{GOES_ON}\n",
        LOOM_SIM_DEVICES="2",
    )
    ended_well(done)
