# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cycles against the roofline: whole networks, kinds of layers, bandwidth.
Exact, so a busy host changes nothing."""

from __future__ import annotations

import functools
import json
from typing import Any

from .. import host, util
from ..util import DevError
from . import networks, roofline
from .measure import Measure, Worker, all_cpus, bench, closing, cycles
from .roofline import Layer, Machine

LARGE = 50_000_000  # products that make a layer a large one
NETWORKS = {"resnet50_f32": "ResNet-50 f32", "resnet50_bf16": "ResNet-50 bf16",
            "bert_f32": "BERT-base f32", "bert_bf16": "BERT-base bf16"}
GOALS = {"npu16": 1.2, "npu64": 1.35}
LSTM_STEPS = 16
DECODER_TOKENS = 71


def told(*cmd: str) -> dict[str, Any]:
    done = util.capture(cmd, timeout=600)
    if done.returncode:
        raise DevError(f"{' '.join(cmd)}: {done.stderr.strip()[-1000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@functools.cache
def machine(target: str, bf16: bool) -> Machine:
    info = told(str(host.loom()), "info", "--device", f"sim:{target}",
                "--json")
    return roofline.machine(info.get("target", info), bf16)


@functools.cache
def report(network: str, target: str) -> dict[str, Any]:
    return told(str(host.loom()), "report", "--json",
                str(networks.program(network, target)))


def ran(network: str, target: str) -> int:
    """Cycles of a job, not of a plan."""
    worker = Worker(all_cpus(), [str(host.find_program("loom_bench_run")),
                                 str(networks.program(network, target))],
                    {"LOOM_THREADS": str(util.jobs())})
    with closing(worker):
        return int(worker.once()["cycles"])


def parts(network: str, target: str) -> tuple[list[Layer], list[float]]:
    layers = roofline.layers_of(report(network, target))
    return layers, roofline.rooflines(layers,
                                      machine(target, "bf16" in network))


def whole(network: str, target: str) -> Measure:
    layers, roof = parts(network, target)
    took = ran(network, target)
    bound = sum(roof)
    return Measure(f"{NETWORKS[network]} on {target}, cycles / roofline",
                   cycles(took), cycles(bound), took / bound, GOALS[target],
                   "<=", losses=tuple(roofline.breakdown(layers, roof)))


@bench("cycles")
def cycle_counts(pairs: int) -> list[Measure]:
    """ResNet-50 and BERT-base against the roofline."""
    return [whole(network, target) for target in GOALS for network in NETWORKS]


# --- layers ----------------------------------------------------------------------

Row = tuple[float, float, Layer]  # efficiency, bound in cycles, layer


def worst(name: str, rows: list[Row], what: str) -> Measure:
    if not rows:
        raise DevError(f"{name}: the networks have no such layer")
    efficiency, bound, layer = min(rows, key=lambda row: row[0])
    below = sorted((r for r in rows if r[0] < 0.85), key=lambda r: r[0])[:8]
    return Measure(f"{name} ({len(rows)} layers)", cycles(bound),
                   f"{cycles(layer.cycles)} of {layer.path}", efficiency, 0.85,
                   ">=", losses=tuple(
                       f"{r[2].op} {r[2].shape} ({r[2].path}): {r[0]:.1%} of "
                       f"{what}, {r[2].bound}; "
                       + ", ".join(f"{k} {v:,}" for k, v in r[2].losses.items()
                                   if v) for r in below))


@bench("layers")
def layer_kinds(pairs: int) -> list[Measure]:
    """Layers on npu16: the worst of each kind."""
    spatial: list[Row] = []
    large: list[Row] = []
    others: list[Row] = []
    for network in NETWORKS:
        m = machine("npu16", "bf16" in network)
        layers, roof = parts(network, "npu16")
        total = sum(layer.cycles for layer in layers)
        for layer, bound in zip(layers, roof, strict=True):
            at_peak = roofline.products(layer, m)
            if layer.is_product and layer.kernel == (3, 3):
                spatial.append((at_peak / layer.cycles, at_peak, layer))
            elif layer.macs >= LARGE and layer.op == "matmul":
                large.append((at_peak / layer.cycles, at_peak, layer))
            elif bound >= total / 100:  # what is smaller decides nothing
                others.append((bound / layer.cycles, bound, layer))
    return [worst("3x3 layers on npu16, the worst / peak", spatial, "peak"),
            worst("large products on npu16, the worst / peak", large, "peak"),
            worst("other layers on npu16 of 1 % or more, the worst / roofline",
                  others, "its roofline")]


@bench("depthwise")
def depthwise(pairs: int) -> list[Measure]:
    """A chain of depthwise layers: all but the first and last have their
    operands in SRAM."""
    layers = [layer for layer in roofline.layers_of(
        report("depthwise_f32", "npu16")) if layer.is_product]
    if len(layers) < 3:
        raise DevError("depthwise: the chain's layers are not in the report")
    m = machine("npu16", False)
    inner = layers[1:-1]
    at_peak = sum(layer.macs / m.depthwise_peak(9) for layer in inner)
    took = sum(layer.cycles for layer in inner)
    return [Measure("depthwise 3x3 from SRAM, npu16 / its mode's peak",
                    cycles(at_peak), cycles(took), at_peak / took, 0.85, ">=",
                    losses=tuple(f"{layer.op} {layer.shape}: {layer.cycles:,} "
                                 f"cycles, {layer.bound}; {layer.losses}"
                                 for layer in inner))]


@bench("decoder")
def decoder(pairs: int) -> list[Measure]:
    """A loop that draws tokens, against the rooflines of what it does for one
    of them, compiled alone."""
    layers, roof = parts("decoder_turn_f32", "npu16")
    took = ran("decoder_f32", "npu16") / DECODER_TOKENS
    bound = sum(roof)
    return [Measure("decoder loop on npu16, cycles a token / rooflines of its "
                    "layers", cycles(took), cycles(bound), took / bound, 1.3,
                    "<=", losses=tuple(roofline.breakdown(layers, roof)))]


def bandwidth(name: str, network: str, moved: int) -> Measure:
    """Bytes that have to come from memory, over what it could give."""
    m = machine("npu16", False)
    took = ran(network, "npu16")
    bound = moved / m.bandwidth
    layers, roof = parts(network, "npu16")
    return Measure(name, cycles(bound), cycles(took), bound / took, 0.9, ">=",
                   losses=tuple(roofline.breakdown(layers, roof)))


@bench("bandwidth")
def bandwidths(pairs: int) -> list[Measure]:
    """Layers that use every weight once: memory is all they can want."""
    size = networks.param_bytes("dense_f32")
    cell = networks.param_bytes("lstm_f32")
    return [bandwidth("dense 4096 x 4096, batch 1, npu16 / bandwidth",
                      "dense_f32", size),
            bandwidth(f"LSTM of {cell >> 20} MiB, {LSTM_STEPS} steps, npu16 / "
                      "bandwidth", "lstm_f32", cell * LSTM_STEPS)]


@bench("sram")
def sram(pairs: int) -> list[Measure]:
    """SRAM in use at most, against what is live at once."""
    measures = []
    for network, name in NETWORKS.items():
        out = networks.folder(network) / "told.loom"
        line = told(str(host.loomc()), str(networks.bundle(network)),
                    "--target", "npu16", "-o", str(out), "--json")
        out.unlink()
        peak, bound = line.get("sram_peak"), line.get("sram_live_bound")
        told_both = bool(peak and bound)
        measures.append(Measure(
            f"{name} on npu16, SRAM peak / live ranges",
            f"{peak:,} bytes" if peak else "not told",
            f"{bound:,} bytes" if bound else "not told",
            peak / bound if told_both else float("inf"), 1.1, "<=",
            losses=() if told_both else ("loomc --json has no sram_peak and "
                                         "sram_live_bound",)))
    return measures
