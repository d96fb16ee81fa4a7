# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom run` on the host and in a guest, with the same arguments, so that what
is compared differs in the device alone."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from . import guest, host, util
from .util import DevError

NODE = "/dev/accel/accel0"
RUN_LIMIT = 600.0
Outputs = dict[str, bytes]


@dataclasses.dataclass(frozen=True)
class Interface:
    """Names of the arrays that a model takes and gives."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @staticmethod
    def of_bundle(bundle: Path) -> Interface:
        entry = json.loads((bundle / "model.json").read_text())
        entry = entry["entry_points"][0]
        return Interface(
            tuple(t["path"] for t in entry["inputs"] if t["role"] == "input"),
            tuple(t["path"] for t in entry["outputs"]))


def words(program: str, device: str, folder: str, model: Interface,
          batched: str) -> list[str]:
    line = ["run", program, "--device", device, "--json"]
    for name in model.inputs:
        line += ["--input", f"{name}={folder}/in/{name}.npy"]
    if batched:
        line += ["--batch-input", batched]
    return [*line, "--output-dir", f"{folder}/out"]


def output_file(name: str) -> str:
    """As `loom run` names it: a slash of the pytree path becomes a dot."""
    return name.replace("/", ".") + ".npy"


def last_json(text: str) -> dict[str, Any]:
    lines = text.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise DevError("the last line of `loom run --json` is not JSON: "
                       f"{text[-300:]!r}") from None


def in_process(program: Path, model: Interface, inputs: dict[str, bytes],
               folder: Path, device: str = "sim", batched: str = "",
               env: dict[str, str] | None = None
               ) -> tuple[dict[str, Any], Outputs]:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    for name, data in inputs.items():
        path = folder / "in" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    done = util.capture([host.loom(), *words(str(program), device, str(folder),
                                             model, batched)],
                        env=env, timeout=RUN_LIMIT)
    if done.returncode:
        raise DevError(f"loom run in-process ended with code {done.returncode}: "
                       f"{done.stderr.strip()[-2000:]}")
    return last_json(done.stdout), {
        name: (folder / "out" / output_file(name)).read_bytes()
        for name in model.outputs}


# Knobs of a target file, and the device's properties of the same meaning.
KNOBS = {"rows": ("rows", 1), "cols": ("cols", 1), "lanes": ("vpu-lanes", 1),
         "sram_bytes": ("sram-kib", 1024), "acc_bytes": ("acc-kib", 1024),
         "bytes_per_cycle": ("mem-bw", 1), "latency": ("mem-latency", 1),
         "outstanding": ("mem-outstanding", 1)}


def device_argument(target: str) -> str:
    """-device for a named target, or for a file of tests/e2e/targets."""
    path = util.ROOT / "tests" / "e2e" / "targets" / f"{target}.json"
    if not path.is_file():
        return f"loom,target={target}"
    knobs = json.loads(path.read_text())
    words = [f"loom,target={knobs.pop('base')}"]
    for knob, value in knobs.items():
        name, unit = KNOBS[knob]
        words.append(f"{name}={value // unit}")
    return ",".join(words)


def guest_config(target: str, hazards: bool = False, **more: Any
                 ) -> guest.Config:
    device = device_argument(target) + (",x-hazards=on" if hazards else "")
    return guest.Config(devices=(device,),
                        programs={"/bin/loom": host.loom()}, **more)


def in_guest(g: guest.Guest, program: Path, model: Interface,
             inputs: dict[str, bytes], batched: str = ""
             ) -> tuple[dict[str, Any], Outputs]:
    """Puts program and inputs in, runs, takes the outputs out."""
    place = f"/data/{program.name}"
    if g.run(f"test -e {place}").rc:
        g.put(place, program)
    g.check_run("rm -rf /data/run; mkdir -p /data/run/in /data/run/out")
    for name, data in inputs.items():
        path = f"/data/run/in/{name}.npy"
        g.check_run(f"mkdir -p {path.rpartition('/')[0]}")
        g.put(path, data)
    line = "loom " + " ".join(words(place, NODE, "/data/run", model,
                                     batched))
    rc, out, err = g.run_split(line, RUN_LIMIT)
    if rc:
        raise DevError(f"loom run in the guest ended with code {rc}: "
                       + err.decode(errors="replace").strip()[-2000:])
    return last_json(out.decode()), {
        name: g.get(f"/data/run/out/{output_file(name)}")
        for name in model.outputs}
