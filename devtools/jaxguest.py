# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX itself in a guest, on /dev/accel/accel0: Python, JAX and the plugin on
disks (devtools/disk.py), and a script that runs a command among them. What the
suite jax-guest does there: the examples, the package without JAX, doctor."""

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


# --- every example, in three places --------------------------------------------------

EXAMPLES = util.ROOT / "examples"
TESTS = util.ROOT / "tests" / "jax"
RUNNER = TESTS / "run_program.py"
IN_GUEST = "/data/tests/jax"  # run_program.py, and the module that it imports
TOLD = "/tmp/told.json"
STEPS = 20
WITHIN = 1e-3  # of the CPU's loss
LOSS = re.compile(r"^step\s+(\d+)\s+loss\s+(\S+)$", re.M)


@dataclasses.dataclass(frozen=True)
class Ran:
    """What an example printed, what run_program.py told of it, and how long
    it took, in seconds. jobs: those that the driver was given."""
    name: str
    text: str
    told: dict[str, Any]
    seconds: float
    jobs: int = 0

    @property
    def losses(self) -> list[str]:
        """As they are printed, which tells equal bits from close ones."""
        found = LOSS.findall(self.text)
        if [int(step) for step, _ in found] != list(range(STEPS)):
            raise DevError(f"{self.name} printed no loss for each of {STEPS} "
                           f"steps:\n{self.text[-2000:]}")
        return [loss for _, loss in found]


def examples() -> list[Path]:
    return sorted(EXAMPLES.glob("*.py"))


def on_host(example: Path, env: Mapping[str, str]) -> Ran:
    told = util.BUILD / "jax" / f"guest-{example.stem}.json"
    told.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    done = util.capture([setup.venv_python(), RUNNER, "--told", told, example,
                         "--steps", str(STEPS)],
                        env={**setup.python_env(), **env}, timeout=TIMEOUT)
    if done.returncode:
        raise DevError(f"{example.name} ended with code {done.returncode}:\n"
                       + done.stderr[-2000:])
    return Ran(example.stem, done.stdout, json.loads(told.read_text()),
               time.monotonic() - start)


def submitted(g: guest.Guest) -> int:
    """Jobs that the driver was given since it was loaded."""
    state = g.check_run("cat /sys/kernel/debug/accel/*/state")
    found = re.search(r"^submitted:\s*(\d+)$", state, re.M)
    if not found:
        raise DevError(f"the driver's state counts no jobs:\n{state}")
    return int(found.group(1))


def in_guest(g: guest.Guest, example: Path) -> Ran:
    start, before = time.monotonic(), submitted(g)
    text = g.check_run(command(
        f"python3 {IN_GUEST}/{RUNNER.name} --told {TOLD} {example.name} "
        f"--steps {STEPS}"), TIMEOUT)
    return Ran(example.stem, text, json.loads(g.get(TOLD)),
               time.monotonic() - start, submitted(g) - before)


def judge(seen: Ran, sim: Ran, cpu: Ran) -> Report:
    """seen: in the guest; sim: in this process."""
    j, name = Judge(), seen.name
    for step, (loss, same, near) in enumerate(
            zip(seen.losses, sim.losses, cpu.losses, strict=True)):
        j.expect(f"{name}, step {step}: in the guest as in-process",
                 loss == same, f"{loss} and {same}")
        j.expect(f"{name}, step {step}: as on the CPU",
                 abs(float(loss) - float(near)) <= WITHIN, f"{loss} and {near}")
    j.expect(f"{name}: all it prints in the guest is what it prints in-process",
             seen.text == sim.text, seen.text)
    for where, ran in (("the guest", seen), ("this process", sim)):
        j.expect(f"{name}: loom in {where} executed every program",
                 ran.told["wrong"] == "", ran.told["wrong"])
    executions = seen.told["counters"]["executions"]
    j.expect(f"{name}: each execution is a job of the driver",
             seen.jobs >= executions >= STEPS,
             f"{executions} executions, {seen.jobs} jobs")
    return j.report


def row(seen: Ran, cpu: Ran) -> dict[str, Any]:
    apart = max(abs(float(a) - float(b))
                for a, b in zip(seen.losses, cpu.losses, strict=True))
    return {"first_loss": seen.losses[0], "last_loss": seen.losses[-1],
            "from_the_cpu": float(f"{apart:.1e}"),
            "programs": seen.told["compiled"],
            "executed": seen.told["counters"]["executed"],
            "executions": seen.told["counters"]["executions"],
            "jobs": seen.jobs, "seconds": round(seen.seconds)}


def examples_in(g: guest.Guest) -> tuple[Report, dict[str, Any]]:
    """Each example, there and here."""
    report, rows = Report(), {}
    sim_env = {"JAX_PLATFORMS": "loom,cpu", "LOOM_DEVICE": "sim:npu16",
               "LOOM_LIBRARY": str(disk.plugin())}
    for example in examples():
        with util.step(f"{example.name} in the guest"):
            seen = in_guest(g, example)
        sim = on_host(example, sim_env)
        cpu = on_host(example, {"JAX_PLATFORMS": "cpu"})
        report.add(judge(seen, sim, cpu))
        rows[example.stem] = row(seen, cpu)
    return report, rows


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
             and "sim: 64 x 64 array" in lines, lines)
    return j.report


def suite() -> tuple[Report, dict[str, Any]]:
    """Every example's first steps in a guest, in-process and on the CPU; then,
    in the same guest, the package alone and doctor."""
    files = {f"/data/{p.name}": p
             for p in (*examples(), RUNTIME, runtime_program())}
    files |= {f"{IN_GUEST}/{p.name}": p for p in (RUNNER, TESTS / "plugin.py")}
    base = loomrun.guest_config("npu16", memory=MEMORY, files=files)
    with guest.Guest(config(base)) as g:
        g.load_driver()
        report, rows = examples_in(g)
        report.add(runtime_in(g))
        report.add(doctor_in(g))
        g.check()
    return report, {"steps": STEPS, "examples": rows}
