# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The required models: against JAX in-process, then bit for bit in a guest."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

from . import demo, guest, host, loomrun, runners, setup, util
from .checks import Report
from .util import DevError, ROOT, run

FOLDER = ROOT / "tests" / "e2e"
BIN = util.BUILD / "e2e" / "bin"
TARGETS = ("npu8", "npu16", "npu64", "npu128", "odd")
MODEL_SOURCES = ("tests/e2e/models.py", "tests/e2e/zoo.py", *demo.TRAIN_SOURCES)


@dataclasses.dataclass(frozen=True)
class Zoo:
    """A set of models and where its files lie."""
    folder: Path
    options: tuple[str, ...] = ()  # of models.py
    keep: tuple[str, ...] = ()  # programs of real size, for the guest

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def rows(self) -> Path:
        return self.folder / "sim.json"


REAL_IN_GUEST = ("digits_cnn", "resnet50", "bert_base")
EACH_RUN = Zoo(util.BUILD / "e2e")
# Besides, all in bf16, and all at their real size.
DEEP = Zoo(util.BUILD / "e2e-deep", ("--deep",), REAL_IN_GUEST)


def export(zoo: Zoo) -> None:
    """Bundles, inputs and JAX's answers, made again when their makers change."""
    stamp = zoo.models / "inputs"
    key = demo.inputs_digest(*MODEL_SOURCES)
    if stamp.is_file() and stamp.read_text() == key:
        return
    demo.train(fresh=False)
    shutil.rmtree(zoo.models, ignore_errors=True)
    with util.step("export the end-to-end models"):
        run([setup.venv_python(), FOLDER / "models.py", "export", zoo.models,
             "--digits", demo.TRAIN, *zoo.options], "e2e-export",
            env=setup.python_env(), append=False)
    stamp.write_text(key)


def link_tools() -> None:
    """One folder with both tools, as an installation has it."""
    BIN.mkdir(parents=True, exist_ok=True)
    for tool in (host.loomc(), host.loom()):
        link = BIN / tool.name
        link.unlink(missing_ok=True)
        link.symlink_to(tool)


def bad_input() -> Report:
    link_tools()
    return runners.counted(
        [setup.venv_python(), FOLDER / "bad_input.py", "--bin", BIN],
        "test-bad-input", env=setup.python_env(), timeout=3600)


def run_sim(zoo: Zoo = EACH_RUN) -> Report:
    export(zoo)
    link_tools()
    keep = [word for name in zoo.keep for word in ("--keep", name)]
    return runners.counted(
        [setup.venv_python(), FOLDER / "run.py", "--bin", BIN, "--models",
         zoo.models, "--work", zoo.work, "--json", zoo.rows, *keep],
        "test-models-sim",
        env={**setup.python_env(), "LOOM_HAZARDS": "1"}, timeout=3600)


STEPS = util.BUILD / "e2e" / "steps"
PLACEMENT = ROOT / "docs" / "results" / "placement"


def train_steps() -> Report:
    """JAX's answers are made again when their makers change."""
    link_tools()
    stamp = STEPS / "inputs"
    key = demo.inputs_digest("tests/e2e/train.py", "tests/e2e/zoo.py",
                             "umd/python/loom")
    if not stamp.is_file() or stamp.read_text() != key:
        shutil.rmtree(STEPS, ignore_errors=True)
    report = runners.counted(
        [setup.venv_python(), FOLDER / "train.py", "--bin", BIN, "--work",
         STEPS], "test-train-steps", env=setup.python_env(), timeout=3600)
    stamp.write_text(key)
    return report


def of_zoo_and_steps(tool: str, *options: str | Path) -> Report:
    """A check of what models-sim and train-steps exported."""
    export(EACH_RUN)
    link_tools()
    if not (STEPS / "inputs").is_file():
        raise DevError("no train step was exported; ./dev test train-steps "
                       "does it")
    return runners.counted(
        [setup.venv_python(), FOLDER / f"{tool}.py", "--bin", BIN, "--models",
         EACH_RUN.models, "--steps", STEPS, *options], f"test-{tool}",
        env={**setup.python_env(), "LOOM_HAZARDS": "1"}, timeout=3600)


def placement() -> Report:
    return of_zoo_and_steps("placement", "--json",
                            PLACEMENT.with_suffix(".json"), "--page",
                            PLACEMENT.with_suffix(".md"))


FEATURES = util.BUILD / "e2e" / "features"
IN_GUEST = ("gnn", "-gather")  # with a device that has not got it


def features() -> Report:
    return of_zoo_and_steps("features", "--work", FEATURES)


def features_in_guest() -> Report:
    """A device that lacks a unit gives the bits of one that has all, and takes
    no program that was compiled for such."""
    name, lacking = IN_GUEST
    program = FEATURES / f"{name}{lacking}.loom"
    if not program.is_file():
        raise DevError(f"{program} was not compiled; ./dev test features does it")
    folder = EACH_RUN.models / name
    model = loomrun.Interface.of_bundle(folder / "bundle")
    inputs = {p: npy(folder / "inputs", p) for p in model.inputs}
    report = Report()
    config = loomrun.guest_config("npu16", hazards=True)
    config.devices = tuple(f"{d},features={lacking}" for d in config.devices)
    with guest.Guest(config) as g:
        g.load_driver()
        _, outputs = loomrun.in_guest(g, program, model, inputs)
        wrong = [p for p in model.outputs if outputs[p] !=
                 (FEATURES / name / loomrun.output_file(p)).read_bytes()]
        if wrong:
            report.failed.append(f"{name} on a device with features={lacking}: "
                                 f"other bits in {', '.join(wrong)}")
        report.passed += not wrong
        try:
            loomrun.in_guest(g, FEATURES / f"{name}.loom", model, inputs)
            report.failed.append(f"a device with features={lacking} takes a "
                                 "program that was compiled for one with all")
        except guest.GuestError:
            raise
        except DevError as e:
            known = "the device lacks features" in str(e)
            report.passed += known
            report.failed += [] if known else [str(e)]
        g.check()
    return report


def dropped_orders() -> Report:
    """In the programs that the in-process check compiled, a wait or a signal
    less, one at a time."""
    programs = sorted(EACH_RUN.work.glob("*.loom"))
    if len(programs) < 50:
        raise DevError(f"{len(programs)} programs in {EACH_RUN.work}, 50 are wanted; "
                       "./dev test models-sim compiles them")
    return runners.counted([host.find_program("dropped_orders"), "--each", "40",
                            *programs], "test-dropped-orders")


def run_guest(zoo: Zoo = EACH_RUN, only: tuple[str, ...] = (),
              memory: int = 2048) -> Report:
    """Takes the programs that the in-process check compiled."""
    if not zoo.rows.is_file():
        raise DevError("the models were not run in-process; "
                       "./dev test models-sim does it")
    good = [r for r in json.loads(zoo.rows.read_text())
            if r["passed"] and "cycles" in r
            and (not only or r["model"] in only)]
    report = Report()
    for target in TARGETS:
        mine = [r for r in good if r["target"] == target]
        if not mine:
            if not only:
                report.failed.append(f"{target}: no model passed in-process")
            continue
        with guest.Guest(loomrun.guest_config(target, hazards=not only,
                                              memory=memory)) as g:
            g.load_driver()
            for row in mine:
                compare(g, zoo, row, report)
            g.check()
    return report


def deep() -> Report:
    """All models in f32 and bf16, small on all targets and at their real size
    on those that are as named, and three networks as people use them in the
    guest."""
    report = run_sim(DEEP)
    inside = run_guest(DEEP, REAL_IN_GUEST, memory=4096)
    if inside.passed + len(inside.failed) < len(REAL_IN_GUEST):
        inside.failed.append("not all of " + ", ".join(REAL_IN_GUEST)
                             + " ran in the guest")
    report.add(inside)
    return report


def write_tables(result: Path) -> None:
    """The tables of docs/results/models.md, from the suite's result beside it."""
    page = result.parent / "models.md"
    run([setup.venv_python(), FOLDER / "tables.py", result, page], "e2e-tables")
    util.say(f"    {page.relative_to(ROOT)} written")


def compare(g: guest.Guest, zoo: Zoo, row: dict, report: Report) -> None:
    """One model: the guest's bytes and cycles against those in-process."""
    name = f"{row['model']} on {row['target']}"
    model_dir = zoo.models / row["model"]
    meta = json.loads((model_dir / "meta.json").read_text())
    model = loomrun.Interface(tuple(r["path"] for r in meta["inputs"]),
                              tuple(r["path"] for r in meta["outputs"]))
    inputs = {p: npy(model_dir / "inputs", p) for p in model.inputs}
    stem = f"{meta['model']}-{row['target']}"
    try:
        line, outputs = loomrun.in_guest(g, zoo.work / f"{stem}.loom", model,
                                         inputs)
    except guest.GuestError:
        raise  # nothing more can be asked of this guest
    except DevError as e:
        report.failed.append(f"{name}: {e}")
        return
    wrong = [p for p in model.outputs
             if outputs[p] != (zoo.work / "outputs" / stem
                               / loomrun.output_file(p)).read_bytes()]
    if wrong:
        report.failed.append(f"{name}: other bits than in-process in "
                             + ", ".join(wrong))
    elif line["cycles"] != row["cycles"]:
        report.failed.append(f"{name}: {line['cycles']} cycles, in-process "
                             f"{row['cycles']}")
    else:
        report.passed += 1


def npy(folder: Path, path: str) -> bytes:
    return (folder / f"{path}.npy").read_bytes()
