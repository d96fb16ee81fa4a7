# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Targets that lack units: the CPU engine runs what is missing, with the same bits.

    python tests/e2e/features.py --bin DIR --models OUT --steps WORK [--work DIR] [--feature F]...
                                 [--model NAME]...

--models is what models.py exported, --steps what train.py left. Each network is compiled for npu16
and for npu16 without each unit of LACKING, and run in-process: outputs have to be equal bit for
bit, and something has to have moved where MOVES says so. Networks of LOOPS may need the unit inside
of a loop: what the CPU engine cannot do there is refused by name. `loom report` has to tell of the
same operations and cycles as loomc. Ends with `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from called import Failed, call
from paths import tensor_file

TARGET = "npu16"
LACKING = (
    "-gather",
    "-scatter",
    "-gather,-scatter",
    "-trans",
    "-vpu",
    "-f32",
    "-epi",
    "-conv",
    "-dw",
    "-transpose",
    "-scan",
    "-loop,-reg",
    "-loop,-reg,-trans",
    "-loop,-reg,-vpu",
)
# Of models.py, and with STEP of train.py.
STEP = " step"
NETWORKS = ("mlp", "cnn_batchnorm", "mobilenet", "gpt", "vae", "seq2seq", "gnn", "gnn step", "lstm")
# What has to have operations on the CPU engine, or the check proves nothing.
MOVES = {
    "gnn": ("-gather", "-scatter", "-vpu", "-f32"),
    "gnn step": ("-gather", "-scatter", "-trans", "-vpu", "-f32"),
    "gpt": ("-trans", "-vpu", "-f32"),
    "cnn_batchnorm": ("-vpu", "-f32", "-conv"),
    "vae": ("-trans", "-vpu", "-f32"),
}
# What may be refused where the unit that lacks is needed inside of a loop, and how.
LOOPS = ("seq2seq", "lstm")
REFUSAL = re.compile(r"\w+\.py:\d+:\d+: .*\(feature [A-Z0-9]+\).*choose a target", re.S)


def folder_of(name: str, options: argparse.Namespace) -> Path:
    step = name.removesuffix(STEP)
    return (options.models if step == name else options.steps) / step


def build(name: str, target: str, program: Path, options: argparse.Namespace) -> int:
    """Compiles; the number of operations on the CPU engine, of which `loom report` tells, too."""
    bundle = folder_of(name, options) / "bundle"
    if not bundle.is_dir():
        raise Failed(f"{bundle} is not there; models.py or train.py makes it")
    command = [options.bin / "loomc", bundle, "--target", target, "-o", program]
    told = json.loads(call([*command, "--placement=json"]))
    planned = json.loads(call([options.bin / "loom", "report", program, "--json"]))
    on_cpu = [layer for layer in planned["layers"] if layer["bound"] == "CPU"]
    if len(on_cpu) != len(told["cpu"]) or planned["cycles"] != told["cycles"]:
        raise Failed(
            f"loom report: {len(on_cpu)} operations on the CPU engine, {planned['cycles']} cycles; "
            f"loomc: {len(told['cpu'])}, {told['cycles']}"
        )
    return len(on_cpu)


def execute(name: str, program: Path, out: Path, options: argparse.Namespace) -> dict[str, bytes]:
    """Every output, as the tool writes it."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    folder = folder_of(name, options)
    words: list[object] = []
    entry = json.loads((folder / "bundle" / "model.json").read_text())["entry_points"][0]
    for row in entry["inputs"]:
        file = tensor_file(folder / "inputs", row["path"])
        if file.is_file():  # else a parameter, which is in the program
            words += ["--input", f"{row['path']}={file}"]
    call([options.bin / "loom", "run", program, "--device", "sim", "--output-dir", out, *words])
    found = {file.name: file.read_bytes() for file in sorted(out.iterdir())}
    if not found:
        raise Failed("loom run: no outputs")
    return found


def differing(have: dict[str, bytes], want: dict[str, bytes]) -> list[str]:
    return [name for name in want if have.get(name) != want[name]]


def check(name: str, lacking: str, whole: dict[str, bytes], options: argparse.Namespace) -> str:
    work = options.work / f"{name.replace(' ', '-')}{lacking.replace(',', '')}"
    program = work.with_suffix(".loom")
    try:
        moved = build(name, f"{TARGET},features={lacking}", program, options)
    except Failed as e:
        if name in LOOPS and REFUSAL.search(str(e)):
            return "refused by name"
        raise
    wrong = differing(execute(name, program, work, options), whole)
    if wrong:
        raise Failed(f"other bits than on {TARGET} in {', '.join(wrong)}")
    if not moved and any(word in MOVES.get(name, ()) for word in lacking.split(",")):
        raise Failed("nothing runs on the CPU engine")
    return f"{moved} on the CPU engine"


def run_all(options: argparse.Namespace) -> int:
    passed, failed = 0, 0
    for name in options.model or NETWORKS:
        program = options.work / f"{name.replace(' ', '-')}.loom"
        try:
            build(name, TARGET, program, options)
            whole = execute(name, program, program.with_suffix(""), options)
        except Failed as e:
            failed += 1
            print(f"FAILED {name:16} {TARGET} {e}", flush=True)
            continue
        for lacking in options.feature or LACKING:
            try:
                text = check(name, lacking, whole, options)
                passed += 1
                print(f"ok     {name:16} {lacking:18} {text}", flush=True)
            except Failed as e:
                failed += 1
                print(f"FAILED {name:16} {lacking:18} {e}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc and loom")
    parser.add_argument("--models", type=Path, required=True, help="what models.py exported")
    parser.add_argument("--steps", type=Path, required=True, help="the --work of train.py")
    parser.add_argument("--work", type=Path, help="keep programs and outputs here")
    parser.add_argument("--model", action="append", choices=NETWORKS, help="repeatable")
    parser.add_argument("--feature", action="append", help="as LACKING has it; repeatable")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loom-features.") as scratch:
        options.work = options.work or Path(scratch)
        options.work.mkdir(parents=True, exist_ok=True)
        return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
