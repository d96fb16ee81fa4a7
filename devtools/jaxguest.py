# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX itself in a guest, on /dev/accel/accel0: Python, JAX and the plugin on
disks (devtools/disk.py), and a script that runs a command among them."""

from __future__ import annotations

import dataclasses
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import disk, guest, host, initramfs, kernel, loomrun, setup, util
from .checks import Report
from .util import DevError

MEMORY = 3072  # MiB
LEAST_MEMORY = 2048
TIMEOUT = 3600.0  # seconds for one command: Python and XLA are emulated
ENTER = "/sbin/in-jax"
# What init runs before its shell: a shell among the disks, then the end.
PROFILE = (guest.PROFILE + b"setsid cttyhack " + ENTER.encode()
           + b" sh -i\npoweroff -f\n")


def config(base: guest.Config) -> guest.Config:
    """`base` with the disks. Its programs in /bin are in the PATH there."""
    if base.memory < LEAST_MEMORY:
        raise DevError(f"a guest with JAX needs {LEAST_MEMORY} MiB of memory, "
                       f"not {base.memory}; leave --mem out ({MEMORY} MiB) or "
                       "raise it")
    disk.check_modules(kernel.by_name(base.kernel))
    library = disk.plugin()
    programs = {Path(name).name: path for name, path in base.programs.items()
                if name.startswith("/bin/")}
    images = (disk.python_disk([library, *programs.values()]),
              disk.loom_disk(library, programs))
    return dataclasses.replace(
        base, disks=images, modules=(*base.modules, *disk.MODULES),
        programs={**base.programs, ENTER: initramfs.GUEST / "in-jax"})


def command(line: str) -> str:
    """The shell command `line`, run among the disks."""
    return f"{ENTER} sh -c {shlex.quote(line)}"


# --- one training run, in three places ----------------------------------------------

EXAMPLE = util.ROOT / "examples" / "digits.py"
STEPS = 5
WITHIN = 1e-3  # of the CPU's loss
LOSS = re.compile(r"^step\s+(\d+)\s+loss\s+(\S+)$", re.M)


def losses(text: str) -> list[str]:
    """As the example prints them, which tells equal bits from close ones."""
    found = LOSS.findall(text)
    if [int(step) for step, _ in found] != list(range(STEPS)):
        raise DevError(f"{EXAMPLE.name} printed no loss for each of {STEPS} "
                       f"steps:\n{text[-2000:]}")
    return [loss for _, loss in found]


def on_host(env: Mapping[str, str]) -> list[str]:
    done = util.capture([setup.venv_python(), EXAMPLE, "--steps", str(STEPS)],
                        env={**setup.python_env(), **env}, timeout=TIMEOUT)
    if done.returncode:
        raise DevError(f"{EXAMPLE.name} ended with code {done.returncode}:\n"
                       + done.stderr[-2000:])
    return losses(done.stdout)


def submitted(g: guest.Guest) -> int:
    """Jobs that the driver was given since it was loaded."""
    state = g.check_run("cat /sys/kernel/debug/accel/*/state")
    found = re.search(r"^submitted:\s*(\d+)$", state, re.M)
    if not found:
        raise DevError(f"the driver's state counts no jobs:\n{state}")
    return int(found.group(1))


def in_guest() -> tuple[list[str], dict[str, Any]]:
    """The losses, and what it took."""
    base = loomrun.guest_config("npu16", memory=MEMORY, files={
        f"/data/{EXAMPLE.name}": EXAMPLE})
    with guest.Guest(config(base)) as g:
        g.load_driver()
        start = time.monotonic()
        text = g.check_run(command("python3 -c 'import jax; jax.devices()'"),
                           TIMEOUT)
        imported = time.monotonic() - start
        before = submitted(g)
        text = g.check_run(command(
            f"python3 {EXAMPLE.name} --steps {STEPS}"), TIMEOUT)
        took = time.monotonic() - start - imported
        jobs = submitted(g) - before
        g.check()
    return losses(text), {"jobs": jobs, "seconds_to_devices": round(imported),
                          "seconds_of_run": round(took)}


def judge(guest_losses: list[str], sim: list[str], cpu: list[str],
          jobs: int) -> Report:
    report = Report()

    def expect(what: str, holds: bool, seen: object) -> None:
        if holds:
            report.passed += 1
        else:
            report.failed.append(f"{what}: {seen}")

    for step in range(STEPS):
        expect(f"step {step}: in the guest as in-process",
               guest_losses[step] == sim[step],
               f"{guest_losses[step]} and {sim[step]}")
        expect(f"step {step}: as on the CPU",
               abs(float(guest_losses[step]) - float(cpu[step])) <= WITHIN,
               f"{guest_losses[step]} and {cpu[step]}")
    expect("each step is at least a job of the driver", jobs >= STEPS, jobs)
    return report


def example() -> tuple[Report, dict[str, Any]]:
    """One example's first steps in a guest, in-process and on the CPU."""
    cpu = on_host({"JAX_PLATFORMS": "cpu"})
    sim = on_host({"JAX_PLATFORMS": "loom,cpu", "LOOM_DEVICE": "sim:npu16",
                   "LOOM_LIBRARY": str(disk.plugin())})
    seen, took = in_guest()
    return judge(seen, sim, cpu, took["jobs"]), {
        "example": EXAMPLE.name, "steps": STEPS, "losses": seen,
        "losses_on_cpu": cpu, **took}
