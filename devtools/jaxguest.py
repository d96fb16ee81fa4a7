# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX itself in a guest, on /dev/accel/accel0: Python, JAX and the plugin on
disks (devtools/disk.py), and a script that runs a command among them. What the
suite jax-guest does there: an example, the package without JAX, doctor."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import (disk, guest, host, initramfs, kernel, loomrun, runners, setup,
               util)
from .checks import Judge, Report
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


def example_in(g: guest.Guest) -> tuple[list[str], dict[str, Any]]:
    """The losses, and what it took."""
    start = time.monotonic()
    g.check_run(command("python3 -c 'import jax; jax.devices()'"), TIMEOUT)
    imported = time.monotonic() - start
    before = submitted(g)
    text = g.check_run(command(f"python3 {EXAMPLE.name} --steps {STEPS}"),
                       TIMEOUT)
    took = time.monotonic() - start - imported
    return losses(text), {"jobs": submitted(g) - before,
                          "seconds_to_devices": round(imported),
                          "seconds_of_run": round(took)}


def judge(guest_losses: list[str], sim: list[str], cpu: list[str],
          jobs: int) -> Report:
    j = Judge()
    for step in range(STEPS):
        j.expect(f"step {step}: in the guest as in-process",
                 guest_losses[step] == sim[step],
                 f"{guest_losses[step]} and {sim[step]}")
        j.expect(f"step {step}: as on the CPU",
                 abs(float(guest_losses[step]) - float(cpu[step])) <= WITHIN,
                 f"{guest_losses[step]} and {cpu[step]}")
    j.expect("each step is at least a job of the driver", jobs >= STEPS, jobs)
    return j.report


# --- the package without JAX, and doctor ----------------------------------------------

RUNTIME = initramfs.GUEST / "runtime.py"
DOCTOR = "import loom.doctor as d; print(*d.nodes(), *d.chosen(), sep='\\n')"


def runtime_program() -> Path:
    """What runtime.py runs, compiled here."""
    folder = util.BUILD / "jax" / "guest-runtime"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    util.run([setup.venv_python(), RUNTIME, "--export", folder / "m.bundle"],
             "guest-runtime", env=setup.python_env(), append=False)
    util.run([host.loomc(), folder / "m.bundle", "--target", "npu16", "-o",
              folder / "runtime.loom"], "guest-runtime")
    return folder / "runtime.loom"


def runtime_in(g: guest.Guest) -> Report:
    """runtime.py's own counts."""
    r = g.run(command(f"python3 {RUNTIME.name} runtime.loom"), TIMEOUT)
    (util.LOGS / "test-guest-runtime.log").write_text(r.stdout)
    return runners.count(r.stdout, "test-guest-runtime",
                         f"status {r.rc}" if r.rc else "")


def doctor_in(g: guest.Guest) -> Report:
    """All of doctor with the driver; what it says of devices without."""
    j = Judge()
    rc, out, _ = g.run_split(command("python3 -m loom doctor --json"), TIMEOUT)
    told = json.loads(out)
    found = {f["what"]: f["found"] for f in told["findings"]}
    j.expect("doctor misses nothing", rc == 0 and told["ok"], told)
    j.expect("doctor names the driver",
             found.get(loomrun.NODE, "").startswith("driver loom "), found)
    j.expect("JAX runs on the node",
             loomrun.NODE in found["JAX"] and "adds 1" in found["JAX"], found)
    g.check_run("rmmod loom")
    lines = g.check_run(command(f'python3 -c "{DOCTOR}"'), TIMEOUT)
    j.expect("without a driver it says so",
             "no node here: programs run in this process" in lines
             and "sim: 16 x 16 array" in lines, lines)
    return j.report


def suite() -> tuple[Report, dict[str, Any]]:
    """One example's first steps in a guest, in-process and on the CPU; then,
    in the same guest, the package alone and doctor."""
    cpu = on_host({"JAX_PLATFORMS": "cpu"})
    sim = on_host({"JAX_PLATFORMS": "loom,cpu", "LOOM_DEVICE": "sim:npu16",
                   "LOOM_LIBRARY": str(disk.plugin())})
    base = loomrun.guest_config("npu16", memory=MEMORY, files={
        f"/data/{p.name}": p for p in (EXAMPLE, RUNTIME, runtime_program())})
    with guest.Guest(config(base)) as g:
        g.load_driver()
        seen, took = example_in(g)
        report = judge(seen, sim, cpu, took["jobs"])
        report.add(runtime_in(g))
        report.add(doctor_in(g))
        g.check()
    return report, {
        "example": EXAMPLE.name, "steps": STEPS, "losses": seen,
        "losses_on_cpu": cpu, **took}
