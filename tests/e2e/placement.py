# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the zoo runs: thirteen networks forward and twelve train steps, compiled for one target.

    python tests/e2e/placement.py --bin DIR --models OUT --steps WORK [--target T] [--model NAME]...
                                  [--json FILE] [--page FILE] [--write]

--models is what models.py exported, --steps what train.py left. Each is compiled, none is run:
`loomc --placement=json` tells what the NPU runs, what the CPU engine runs and why. --json and
--page name the result and its page, which have to say what is found; --write writes them. At least
FULLY of the 25 have to run on the NPU alone, and each crossing in the others needs a reason. Ends
with `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from called import Failed, call

FULLY = 22  # of all
BEGIN = "<!-- tests/e2e/placement.py: begin -->"
END = "<!-- tests/e2e/placement.py: end -->"
Row = dict[str, Any]


# Names of models.py and train.py, and what a person would call them.
FORWARD = {
    "mlp": "perceptron",
    "cnn_batchnorm": "CNN with BatchNorm",
    "resnet": "ResNet of bottlenecks",
    "mobilenet": "MobileNetV2",
    "unet": "U-Net",
    "vit": "ViT",
    "bert": "BERT",
    "gpt": "GPT, all logits of a prompt",
    "sampler": "GPT, a loop over tokens with its cache",
    "seq2seq": "LSTM encoder and decoder",
    "vae": "VAE with its noise",
    "gnn": "graph network, segment_sum",
    "nnx_transformer": "transformer in nnx",
}
STEPS = {
    "mlp": "perceptron, Adam",
    "digits": "CNN with BatchNorm and dropout, Adam",
    "resnet": "ResNet-18's blocks, SGD with momentum",
    "mobilenet": "MobileNetV2, SGD",
    "unet": "U-Net, Adam",
    "vit": "ViT, AdamW",
    "bert": "BERT, AdamW",
    "transformer": "GPT with dropout, AdamW",
    "seq2seq": "LSTM encoder and decoder, Adam",
    "vae": "VAE with its noise, Adam",
    "gnn": "graph network, segment_sum, Adam",
    "nnx_transformer": "transformer in nnx, Adam",
}
STEP = " step"
NAMES = [*FORWARD, *(name + STEP for name in STEPS)]


def placement(loomc: Path, bundle: Path, target: str, program: Path) -> dict[str, Any]:
    if not bundle.is_dir():
        raise Failed(f"{bundle} is not there; models.py or train.py makes it")
    command = [loomc, bundle, "--target", target, "-o", program, "--placement=json"]
    return json.loads(call(command))


def judge(name: str, told: dict[str, Any]) -> Row:
    for op in told["cpu"]:
        if not op["why"]:
            raise Failed(f"{op['operation']} in {op['module'] or op['source']} crosses unexplained")
    step = name.removesuffix(STEP)
    return {
        "name": name,
        "title": FORWARD[name] if step == name else STEPS[step],
        "kind": "forward" if step == name else "train step",
        "cpu": len(told["cpu"]),
        "segments": told["segments"],
        "bytes_crossed": sum(op["bytes"] for op in told["cpu"]),
        "reasons": reasons(told["cpu"]),
    }


def reasons(ops: list[dict[str, Any]]) -> list[Row]:
    """What crosses, the same operation for the same reason counted together."""
    found: dict[tuple[str, str], Row] = {}
    for op in ops:
        key = op["operation"], op["why"]
        row = found.setdefault(
            key, {"operation": key[0], "why": key[1], "count": 0, "bytes": 0, "first": place(op)}
        )
        row["count"] += 1
        row["bytes"] += op["bytes"]
    return list(found.values())


def place(op: dict[str, Any]) -> str:
    return op["module"] or op["source"].rpartition("/")[2]


# --- the page -------------------------------------------------------------------------------------
def table(head: tuple[str, ...], lines: list[tuple[Any, ...]]) -> str:
    rule = ("---",) * len(head)
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in (head, rule, *lines))


def page(result: dict[str, Any]) -> str:
    rows = result["rows"]
    full = sum(not row["cpu"] for row in rows)
    head = ("network", "", "fully on the NPU", "operations on the CPU engine")
    parts = [
        f"Target `{result['target']}`: {full} of {len(rows)} run fully on the NPU.",
        table(
            (*head, "segments", "bytes crossed"),
            [
                (
                    row["title"],
                    row["kind"],
                    "no" if row["cpu"] else "yes",
                    row["cpu"],
                    row["segments"],
                    f"{row['bytes_crossed']:,}",
                )
                for row in rows
            ],
        ),
    ]
    crossings = [
        (
            row["title"],
            row["kind"],
            f"`{r['operation']}`",
            r["count"],
            r["first"],
            r["why"],
            f"{r['bytes']:,}",
        )
        for row in rows
        for r in row["reasons"]
    ]
    if crossings:
        columns = ("network", "", "operation", "times", "first in", "why", "bytes")
        parts.append(table(columns, crossings))
    return "\n\n".join(parts)


def replaced(text: str, tables: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failed(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def check_files(options: argparse.Namespace, result: dict[str, Any]) -> None:
    """What is committed says what is found; with --write it is made to."""
    wanted = {}
    if options.json:
        wanted[options.json] = json.dumps(result, indent=1) + "\n"
    if options.page:
        wanted[options.page] = replaced(options.page.read_text(), page(result))
    for file, text in wanted.items():
        if options.write:
            file.write_text(text)
        elif not file.is_file() or file.read_text() != text:
            raise Failed(f"{file} is not what is found; with --write this writes it")


# --- the command ----------------------------------------------------------------------------------
def run(name: str, options: argparse.Namespace, program: Path) -> Row:
    step = name.removesuffix(STEP)
    bundle = (options.models if step == name else options.steps) / step / "bundle"
    return judge(name, placement(options.bin / "loomc", bundle, options.target, program))


def run_all(options: argparse.Namespace, program: Path) -> int:
    rows, failed = [], 0
    names = options.model or NAMES
    for name in names:
        try:
            row = run(name, options, program)
        except Failed as e:
            failed += 1
            print(f"FAILED {name:20} {e}", flush=True)
            continue
        rows.append(row)
        where = f"{row['cpu']} on the CPU engine" if row["cpu"] else "fully on the NPU"
        print(f"ok     {name:20} {where}", flush=True)
    if not options.model:
        failed += not whole(options, rows)
    print(f"{len(rows)} passed, {failed} failed, 0 skipped")
    return 1 if failed or not rows else 0


def whole(options: argparse.Namespace, rows: list[Row]) -> bool:
    """The bound on all of them, and what is committed."""
    full = sum(not row["cpu"] for row in rows)
    print(f"{full} of {len(NAMES)} fully on the NPU")
    try:
        if full < FULLY:
            raise Failed(f"{full} of {len(NAMES)} run fully on the NPU, {FULLY} are wanted")
        check_files(options, {"target": options.target, "fully_on_npu": full, "rows": rows})
    except Failed as e:
        print(f"FAILED {e}")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc")
    parser.add_argument("--models", type=Path, required=True, help="what models.py exported")
    parser.add_argument("--steps", type=Path, required=True, help="the --work of train.py")
    parser.add_argument("--target", default="npu16")
    parser.add_argument("--model", action="append", choices=NAMES, help="only this; repeatable")
    parser.add_argument("--json", type=Path, help="the committed result")
    parser.add_argument("--page", type=Path, help="its page")
    parser.add_argument("--write", action="store_true", help="write result and page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loom-placement.") as scratch:
        return run_all(options, Path(scratch) / "m.loom")


if __name__ == "__main__":
    sys.exit(main())
