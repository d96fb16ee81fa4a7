# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile and run every exported model on every target, and compare with JAX.

    python tests/e2e/run.py --bin DIR --models OUT [--work DIR] [--model NAME]... [--target T]...
                            [--backend sim] [--json FILE] [--keep NAME]...

--bin holds `loomc` and `loom`; --models is what models.py wrote. One line a check; after the
models each one's largest weight is negated and the comparison has to fail. A target that is too
small for a model has to refuse it. Of models at their real size the programs are deleted again but
for those of --keep. Ends with `N passed, N failed, N skipped`; exits 1 if one failed or none ran.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from called import Failed, call, ended
from compare import accuracy, compare_model
from paths import load_tensor, output_file, tensor_file

TARGETS = ("npu8", "npu16", "npu64", "npu128", "odd")
# Those that no name stands for are files that loomc reads.
TARGET_FILES = {"odd": Path(__file__).resolve().parent / "targets" / "odd.json"}
BREAK_TARGET = "npu16"
# Cycles are those of the target only on a device that is the target, not a superset of it.
BACKENDS = ("sim",)


def device_of(target: str) -> str:
    """The in-process device that is this target: by name, or from the program's own header."""
    return "sim" if target in TARGET_FILES else f"sim:{target}"


@dataclass(frozen=True)
class Tools:
    loomc: Path
    loom: Path
    work: Path


def compile_model(tools: Tools, bundle: Path, target: str, name: str) -> tuple[Path, dict]:
    """The program, and what loomc tells of it."""
    program = tools.work / f"{name}-{target}.loom"
    program.unlink(missing_ok=True)
    file = TARGET_FILES.get(target, target)
    told = call([tools.loomc, bundle, "--target", file, "-o", program, "--json"])
    if not program.is_file():
        raise Failed(f"loomc: exit 0, but {program} is not there")
    return program, json.loads(told)


REFUSAL = re.compile(r"\w+\.py:\d+:\d+: .*(choose a (larger )?target|split the model)")


def check_refused(tools: Tools, model: Path, target: str, backend: str) -> dict[str, Any]:
    """A target that is too small: no file, and words that name the place and a way out."""
    meta = json.loads((model / "meta.json").read_text())
    program = tools.work / f"{meta['model']}-{target}.loom"
    program.unlink(missing_ok=True)
    done = ended([tools.loomc, model / "bundle", "--target", target, "-o", program])
    words = done.stderr.strip().splitlines() or ["said nothing"]
    if done.returncode != 1 or program.exists():
        raise Failed(f"loomc: exit {done.returncode}, but {target} is too small: {words[0]}")
    if not REFUSAL.search(words[0]):
        raise Failed(f"loomc: its refusal does not name layer and remedy: {words[0]}")
    return {
        "model": meta["model"],
        "target": target,
        "backend": backend,
        "refused": words[0].partition("error: ")[2],
    }


def input_options(model: Path) -> list[Any]:
    meta = json.loads((model / "meta.json").read_text())
    words: list[Any] = []
    for row in meta["inputs"]:
        words += ["--input", f"{row['path']}={tensor_file(model / 'inputs', row['path'])}"]
    return words


def run_model(tools: Tools, model: Path, program: Path, device: str) -> tuple[dict, Path]:
    """Run once; returns the tool's JSON line and the directory of outputs."""
    outputs = tools.work / "outputs" / program.stem
    shutil.rmtree(outputs, ignore_errors=True)
    outputs.mkdir(parents=True)
    command: list[Any] = [tools.loom, "run", program, "--device", device, "--json"]
    text = call([*command, *input_options(model), "--output-dir", outputs])
    try:
        return json.loads(text.strip().splitlines()[-1]), outputs
    except (IndexError, ValueError) as e:
        raise Failed(f"loom run: its last line is not JSON: {text[-200:]!r}") from e


def check_report(report: dict, meta: dict) -> None:
    """The JSON line has to agree with the model's own description."""
    told = {(o["name"], o["dtype"], tuple(o["shape"])) for o in report.get("outputs", [])}
    wanted = {(o["path"], o["dtype"], tuple(o["shape"])) for o in meta["outputs"]}
    if told != wanted:
        raise Failed(f"loom run reports outputs {sorted(told)}, expected {sorted(wanted)}")
    if report.get("jobs") != 1 or not report.get("cycles", 0) > 0:
        raise Failed(f"loom run reports jobs {report.get('jobs')}, cycles {report.get('cycles')}")


def check_layers(tools: Tools, program: Path, cycles: int, bounded: bool) -> None:
    """Where the cycles go has to add up, layer by layer and to what the run took, unless data
    decide what runs how often."""
    told = json.loads(call([tools.loom, "report", program, "--json"]))
    for layer in told["layers"]:
        if layer["ideal"] + sum(layer["losses"].values()) != layer["cycles"]:
            raise Failed(f"loom report: {layer['path']}: ideal and losses are not its cycles")
    planned = sum(layer["cycles"] for layer in told["layers"])
    if not 0 <= told["cycles"] - planned < 1000:
        raise Failed(f"loom report: layers take {planned} of {told['cycles']} cycles")
    # A plan has no inputs: addresses and counts that the program loads are 0 in it.
    if bounded and abs(told["cycles"] - cycles) > (0 if told["exact"] else 0.1 * cycles):
        raise Failed(f"loom report plans {told['cycles']} cycles, the run took {cycles}")


def check_assembler(tools: Tools, program: Path) -> None:
    """Assembling what was disassembled gives the same file."""
    listing, again = program.with_suffix(".txt"), program.with_suffix(".again")
    listing.write_text(call([tools.loom, "dis", program]))
    call([tools.loom, "as", listing, "--program", program, "-o", again])
    same = again.read_bytes() == program.read_bytes()
    listing.unlink()
    again.unlink()
    if not same:
        raise Failed(f"loom as: {program.name} is not what loom dis printed")


def check_loop(tools: Tools, program: Path) -> None:
    """The steps of a recurrent network are a loop of the machine."""
    if " LOOP " not in call([tools.loom, "dis", program]):
        raise Failed("loom dis: no LOOP: the recurrence was written out")


def check_model(tools: Tools, model: Path, target: str, backend: str) -> dict[str, Any]:
    """Compile, run, compare; raises Failed, returns what to print."""
    start = time.monotonic()
    meta = json.loads((model / "meta.json").read_text())
    program, plan = compile_model(tools, model / "bundle", target, meta["model"])
    compiled = time.monotonic()
    report, outputs = run_model(tools, model, program, device_of(target))
    ran = time.monotonic()
    check_report(report, meta)
    # Of several segments the plan is not the run to the cycle.
    one = report["segments"] == 1
    check_layers(tools, program, report["cycles"], plan["bounded"] and one)
    check_assembler(tools, program)
    if "lstm" in meta["model"]:
        check_loop(tools, program)
    verdicts = compare_model(model, outputs)
    row = {
        "model": meta["model"],
        "target": target,
        "backend": backend,
        "error": max(v.error for v in verdicts.values()),
        "cycles": report["cycles"],
        "utilisation": report.get("utilisation"),
        "compile_seconds": round(compiled - start, 3),
        "run_seconds": round(ran - compiled, 3),
        "bytes": sum(layer["bytes"] for layer in plan["layers"]),
        **{key: plan[key] for key in PLANNED},
    }
    if "real_size" in meta:
        row["bandwidth"] = round(row["bytes"] / bandwidth(tools, program) / row["cycles"], 4)
    wrong = [f"{path}: {v.text}" for path, v in verdicts.items() if not v.same]
    if wrong:
        raise Failed("; ".join(wrong), row)
    if "labels" in meta:
        row["accuracy"] = check_accuracy(model, meta, outputs)
    return row


PLANNED = ("roofline", "code_bytes", "sram_peak", "sram_live_bound")


def bandwidth(tools: Tools, program: Path) -> float:
    """Bytes a cycle that the memory of the program's target sustains."""
    told = json.loads(call([tools.loom, "info", program, "--json"]))["target"]["memory"][0]
    return min(told["bytes_per_cycle"], told["outstanding"] * 64 / max(told["latency"], 1))


def check_accuracy(model: Path, meta: dict, outputs: Path) -> float:
    """Loom has to recognise as many images as JAX does."""
    (row,) = meta["outputs"]
    labels = np.asarray(meta["labels"])
    files = output_file(outputs, row["path"]), tensor_file(model / "expected", row["path"])
    ours, theirs = (accuracy(load_tensor(f, row["dtype"]), labels) for f in files)
    if ours != theirs:
        raise Failed(f"accuracy {ours:.4f}, JAX {theirs:.4f}")
    return ours


def _visible(params: list[dict[str, Any]]) -> str:
    """The first layer's: every output depends on it, where a later unit may be dead for all inputs.

    Not a row of an embedding that no input names, nor what a softmax takes away again.
    """
    hidden = {"bias", "embedding", "query", "key"}
    names = [t["path"] for t in params]
    return next((n for n in names if not hidden & set(n.split("/"))), names[0])


def break_one_weight(bundle: Path, copy: Path, whole: bool = False) -> str:
    """Copy a bundle with its largest weight negated, or a whole layer's; returns which."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bundle, copy)
    file = copy / "params.safetensors"
    raw = bytearray(file.read_bytes())
    header_bytes = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + header_bytes])
    entry = json.loads((bundle / "model.json").read_text())["entry_points"][0]
    name = _visible([t for t in entry["inputs"] if t["role"] == "param" and len(t["shape"]) > 1])
    info = header[name]
    begin, end = (8 + header_bytes + o for o in info["data_offsets"])
    kinds = {"F32": np.float32, "BF16": np.uint16, "I8": np.int8}
    values = np.frombuffer(bytes(raw[begin:end]), kinds[info["dtype"]]).copy()
    if whole:
        at = ":"
        values = values ^ 0x8000 if info["dtype"] == "BF16" else -values
    elif info["dtype"] == "BF16":
        at = int((values & 0x7FFF).argmax())  # bits order as magnitudes do
        values[at] ^= 0x8000
    elif info["dtype"] == "I8":
        at = int(np.abs(values.astype(np.int32)).argmax())
        values[at] = -max(int(values[at]), -127)  # -128 has no negative in i8
    else:
        at = int(np.abs(values).argmax())
        values[at] = -values[at]
    raw[begin:end] = values.tobytes()
    file.write_bytes(raw)
    return f"{name}[{at}]"


def compare_programs(tools: Tools, model: Path, a: Path, b: Path) -> dict[str, Any]:
    """The JSON line of `loom compare`, whose status says whether anything differs."""
    command = [tools.loom, "compare", a, b, "--json", *input_options(model)]
    done = ended(command)
    if done.returncode not in (0, 2):
        raise Failed(f"loom compare: exit {done.returncode}: {done.stderr.strip()[:300]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["equal"] != (done.returncode == 0):
        raise Failed(f"loom compare: exit {done.returncode}, but equal is {told['equal']}")
    return told


def check_named(tools: Tools, model: Path, good: Path, broken: Path, weight: str) -> None:
    """`loom compare` has to name the layer of the wrong weight, unless its values stay in SRAM."""
    if compare_programs(tools, model, good, good)["equal"] is not True:
        raise Failed("loom compare: a program differs from itself")
    told = compare_programs(tools, model, good, broken)
    if told["equal"]:
        raise Failed(f"loom compare: {weight} negated, and the outputs are equal")
    module = weight.partition("[")[0].rpartition("/")[0].removeprefix("params/")
    mine = [layer for layer in told["layers"] if module and layer["path"].endswith(module)]
    unseen = [layer for layer in mine if layer["compared"] not in ("equal", "differs")]
    first = told.get("first")
    if first is None:
        if not told["layers"] or any(n["compared"] == "equal" for n in mine):
            raise Failed(f"loom compare: {weight} negated, and no layer is named")
    elif mine and not unseen and not first["path"].endswith(module):
        raise Failed(f"loom compare: {weight} negated, and {first['path']} is named")
    elif not first["differing"] > 0:
        raise Failed(f"loom compare: {first['path']} is named with no difference")


def check_broken(tools: Tools, model: Path, target: str, backend: str) -> dict[str, Any]:
    """One wrong weight has to be seen, or the comparison proves nothing."""
    meta = json.loads((model / "meta.json").read_text())
    # In a real network one weight of a million may be lost in rounding; a whole layer is not.
    real, bf16 = "real_size" in meta, meta.get("dtype") == "bf16"
    for whole in (False, True) if real and not bf16 else (real,):
        which, worst, seen = broken(tools, model, target, whole)
        if seen:
            break
    else:
        raise Failed(f"{which} negated, and the comparison did not see it")
    return {
        "model": f"{meta['model']} broken",
        "target": target,
        "backend": backend,
        "weight": which,
        "error": worst,
    }


def broken(tools: Tools, model: Path, target: str, whole: bool) -> tuple[str, float, bool]:
    """What was negated, the error, whether the comparison saw it; `loom compare`, which runs
    programs of one segment, always does."""
    name = json.loads((model / "meta.json").read_text())["model"]
    copy = tools.work / "broken" / name
    which = break_one_weight(model / "bundle", copy, whole)
    program, _ = compile_model(tools, copy, target, name + "-broken")
    report, outputs = run_model(tools, model, program, device_of(target))
    verdicts = compare_model(model, outputs).values()
    shutil.rmtree(copy)
    if report["segments"] == 1:
        check_named(tools, model, tools.work / f"{name}-{target}.loom", program, which)
    return which, max(v.error for v in verdicts), not all(v.same for v in verdicts)


def show(row: dict[str, Any]) -> str:
    if "refused" in row:
        return f"ok     {row['model']:24} {row['target']:6} refused: {row['refused']}"
    text = f"ok     {row['model']:24} {row['target']:6} {row['backend']:4} error {row['error']:.1e}"
    if "cycles" in row:
        use = row["utilisation"]
        text += f"  {row['cycles']:>11} cycles" + (f"  {use:6.1%}" if use is not None else "")
        text += f"  {row['compile_seconds']:.2f} + {row['run_seconds']:.2f} s"
    return text + (f"  accuracy {row['accuracy']:.4f}" if "accuracy" in row else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc and loom")
    parser.add_argument("--models", type=Path, required=True, help="what models.py wrote")
    parser.add_argument("--work", type=Path, help="keep programs and outputs here")
    parser.add_argument("--model", action="append", help="only this one; repeatable")
    parser.add_argument(
        "--target", action="append", choices=TARGETS, help="only this one; repeatable"
    )
    parser.add_argument("--backend", choices=BACKENDS, default="sim")
    parser.add_argument("--no-broken", action="store_true", help="leave the broken weights out")
    parser.add_argument("--json", type=Path, help="write all rows here")
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        help="keep the programs of this model of real size; repeatable",
    )
    options = parser.parse_args()
    names = options.model or sorted(p.parent.name for p in options.models.glob("*/meta.json"))
    if not names:
        parser.error(f"{options.models}: no models; write them with models.py export")
    with tempfile.TemporaryDirectory(prefix="loom-e2e.") as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        tools = Tools(options.bin / "loomc", options.bin / "loom", work)
        for tool in (tools.loomc, tools.loom):
            if not tool.is_file():
                parser.error(f"{tool}: not there; build it, or correct --bin")
        return run_all(tools, options, names)


def drop_programs(tools: Tools, name: str) -> None:
    """Together those of the real sizes would take some ten gigabytes."""
    for file in tools.work.glob(f"{name}-*"):
        file.unlink()
    for folder in (tools.work / "outputs").glob(f"{name}-*"):
        shutil.rmtree(folder)


DESCRIBED = ("real_size", "dtype", "jax_to_itself")


def run_all(tools: Tools, options: argparse.Namespace, names: list[str]) -> int:
    rows, failed = [], 0
    for name in names:
        model = options.models / name
        meta = json.loads((model / "meta.json").read_text())
        targets = [t for t in options.target or TARGETS if t in meta["targets"]]
        described = {key: meta[key] for key in DESCRIBED if key in meta}
        checks = [(check_model, t) for t in targets]
        if targets and not options.no_broken:
            checks.append((check_broken, BREAK_TARGET if BREAK_TARGET in targets else targets[0]))
        small = [t for t in options.target or TARGETS if t in meta.get("refused", ())]
        checks += [(check_refused, t) for t in small]
        for check, target in checks:
            try:
                row = {**described, **check(tools, model, target, options.backend)}
                rows.append({**row, "passed": True})
                print(show(row), flush=True)
            except Failed as e:
                failed += 1
                label = name + (" broken" if check is check_broken else "")
                told = {"model": label, "target": target, "passed": False, "why": str(e)}
                rows.append({**described, **e.row, **told})
                print(f"FAILED {label:24} {target:6} {options.backend:4} {e}", flush=True)
        if "real_size" in meta and name not in options.keep:
            drop_programs(tools, name)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
