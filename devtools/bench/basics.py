# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cost of a job that does nothing, and one f32 matrix product."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from .. import guest, host, loomrun, setup, util
from ..util import run
from .measure import Measure, Worker, bench, closing, paired

# --- a job that does nothing ---------------------------------------------------

DISK_ARGS = ("-blockdev", "driver=null-co,node-name=null,read-zeroes=on,"
                          "size=1073741824",
             "-device", "nvme,serial=null,drive=null")


@bench("null-job")
def null_job(pairs: int) -> list[Measure]:
    """A program of one HALT record against one NVMe read, and one of a CPU
    operation of four bytes against both, in one guest."""
    binary = host.find_program("loom_bench_null")
    # One CPU: the device's own thread has the host's other one.
    config = guest.Config(smp=1, qemu_args=DISK_ARGS, modules=("nvme",),
                          programs={"/bin/loom_bench_null": binary})
    with guest.Guest(config) as g:
        g.load_driver()
        g.check_run("modprobe nvme; for i in $(seq 100); do "
                    "test -e /dev/nvme0n1 && break; sleep 0.05; done; "
                    "test -e /dev/nvme0n1")
        text = g.check_run(f"loom_bench_null {loomrun.NODE} /dev/nvme0n1 "
                           f"{pairs}", 600.0)
        g.check()
    told = loomrun.last_json(text)
    rates = [1e9 / ns for ns in told["batched_ns"]]
    return [
        paired("null job / NVMe read of 512 bytes", told["job_ns"],
               told["read_ns"], 1.0, "<=", lambda ns: f"{ns / 1e3:.1f} us"),
        paired("empty CPU segment / null job", told["cpu_job_ns"],
               told["job_ns"], 2.0, "<=", lambda ns: f"{ns / 1e3:.1f} us"),
        Measure("null jobs a second, 64 in flight",
                f"{statistics.median(rates):,.0f}",
                f"{1e9 / statistics.median(told['job_ns']):,.0f} one by one",
                statistics.median(told["job_ns"])
                / statistics.median(told["batched_ns"]), None, ">="),
    ]


# --- f32 matrix product, in-process ----------------------------------------------

SIZE = 1024
MATMUL = util.ROOT / "tests" / "guest" / "bench" / "matmul.py"


def matmul_program() -> Path:
    folder = util.BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    bundle, program = folder / "matmul", folder / "matmul.loom"
    run([setup.venv_python(), MATMUL, "export", str(SIZE), bundle],
        "bench-matmul", env=setup.python_env(), append=False)
    run([host.loomc(), bundle, "--target", "npu16", "-o", program],
        "bench-matmul")
    return program


@bench("matmul")
def matmul(pairs: int) -> list[Measure]:
    """1024^3 in f32 through the model, against the faster of NumPy and JAX."""
    cpu = str(max(os.sched_getaffinity(0)))
    python = str(setup.venv_python())
    workers = {
        "loom": Worker(cpu, [str(host.find_program("loom_bench_run")),
                             str(matmul_program())]),
        "numpy": Worker(cpu, [python, str(MATMUL), "numpy", str(SIZE)],
                        setup.python_env()),
        "jax": Worker(cpu, [python, str(MATMUL), "jax", str(SIZE)],
                      setup.python_env()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    with closing(*workers.values()):
        for w in workers.values():
            w.once()  # warm
        for _ in range(pairs):
            for name, w in workers.items():
                told = w.once()
                seconds[name].append(told["seconds"])
                if name == "loom":
                    utilisation = told["utilisation"]
    best = min(("numpy", "jax"), key=lambda n: statistics.median(seconds[n]))
    speeds = {n: [2 * SIZE ** 3 / s / 1e9 for s in seconds[n]] for n in seconds}
    return [
        paired(f"f32 matrix product {SIZE}^3, speed / {best}", speeds["loom"],
               speeds[best], 0.8, ">=", lambda v: f"{v:.1f} Gop/s"),
        Measure("its MXU utilisation in cycles, npu16", f"{utilisation:.1%}",
                "peak", utilisation, 0.85, ">="),
    ]
