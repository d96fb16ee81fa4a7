# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The roofline of a compiled network: for every fused layer the largest of
products at the peak of their mode, bytes at full bandwidth and vector work over
the lanes (as many passes as the program makes). Bytes are those nobody can
save: weights, the network's inputs and outputs once, and a write and a read of
each intermediate that is larger than half of SRAM. Where a count is not known
from the report it is left out, so that the roofline is never too easy."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

PRODUCTS = ("conv", "matmul", "dw", "depthwise")


@dataclasses.dataclass(frozen=True)
class Machine:
    """What of a target the roofline needs."""
    rows: int
    cols: int
    sram: int
    bandwidth: float  # bytes a cycle that memory sustains
    element: int  # bytes of the network's type
    row_cycles: int  # of a product of that type

    @property
    def peak(self) -> float:
        """Products a cycle."""
        return self.rows * self.cols / self.row_cycles

    def depthwise_peak(self, taps: int) -> float:
        """Rows are taps: a small kernel leaves the others idle."""
        return min(self.rows, taps) * self.cols / self.row_cycles


def machine(target: dict[str, Any], bf16: bool) -> Machine:
    """From the JSON line of `loom info`."""
    mem = target["memory"][0]
    sustained = (mem["outstanding"] * 64 / mem["latency"] if mem["latency"]
                 else mem["bytes_per_cycle"])
    return Machine(target["rows"], target["cols"], target["sram_bytes"],
                   min(mem["bytes_per_cycle"], sustained), 2 if bf16 else 4,
                   target["bf16_div" if bf16 else "f32_div"])


@dataclasses.dataclass(frozen=True)
class Layer:
    """A row of `loom report --json`."""
    path: str
    op: str
    shape: str
    bound: str
    cycles: int
    ideal: int
    macs: int
    losses: dict[str, int]
    vector: int = 0  # cycles of the lanes on the layer's elements and passes

    @property
    def operands(self) -> list[tuple[int, ...]]:
        return [tuple(int(n) for n in part.split("x"))
                for part in re.findall(r"\d+(?:x\d+)*", self.shape)]

    @property
    def is_product(self) -> bool:
        return self.macs > 0 and len(self.operands) >= 2

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of a convolution's kernel; (1, 1) otherwise."""
        if self.op == "matmul" or not self.is_product:
            return (1, 1)
        b = self.operands[1]
        return (b[0], b[1]) if len(b) == 4 else (1, 1)

    @property
    def depthwise(self) -> bool:
        """One channel in, one out: B's contracted dimension is 1."""
        b = self.operands[1] if self.is_product else ()
        return (len(b) == 4 and self.op != "matmul" and b[2] == 1
                and self.kernel != (1, 1) and self.operands[0][-1] > 1)

    @property
    def weights(self) -> int:
        """Elements of B, unless it is batched: then it is no constant."""
        if not self.is_product:
            return 0
        b = self.operands[1]
        if self.op == "matmul" and len(b) == 3 and b[0] > 1:
            return 0
        return math.prod(b)

    @property
    def outputs(self) -> int:
        """Elements written; 0 where the report does not say."""
        if self.is_product:
            b = self.operands[1]
            contracted = (b[-2] if self.op == "matmul" or self.depthwise
                          else math.prod(b[:-1]))
            if self.depthwise:
                contracted = math.prod(self.kernel)
            return self.macs // max(1, contracted)
        dims = self.operands[0] if self.operands else ()
        if self.op == "reduce":  # windows are the last two of six dimensions
            return math.prod(dims[:-2]) if len(dims) > 4 else 0
        return math.prod(dims) if dims else 0


def layers_of(report: dict[str, Any]) -> list[Layer]:
    return [Layer(row["path"], row["op"], row["shape"], row["bound"],
                  row["cycles"], row["ideal"], row["macs"], row["losses"],
                  row["vector"])
            for row in report["layers"]]


def products(layer: Layer, m: Machine) -> float:
    """Cycles of a layer's products at the peak of their mode."""
    if not layer.macs:
        return 0.0
    return layer.macs / (m.depthwise_peak(math.prod(layer.kernel))
                         if layer.depthwise else m.peak)


def rooflines(layers: list[Layer], m: Machine) -> list[float]:
    """Cycles of each layer; their sum is the network's roofline."""
    found = []
    spilled = 0  # bytes of the layer before that do not stay in SRAM
    for i, layer in enumerate(layers):
        moved = layer.weights * m.element + spilled
        if i == 0 and layer.operands:
            moved += math.prod(layer.operands[0]) * m.element
        out = layer.outputs * m.element
        spilled = out if out > m.sram / 2 else 0
        moved += out if i + 1 == len(layers) else spilled
        found.append(max(products(layer, m), moved / m.bandwidth,
                         float(layer.vector)))
    return found


def breakdown(layers: list[Layer], roof: list[float]) -> list[str]:
    """Where the cycles beyond the roofline are: by cause, and the worst
    layers."""
    total = sum(layer.cycles for layer in layers)
    if not total:
        return ["no layer takes a cycle"]
    causes = {"operands and maps through memory":
              sum(layer.ideal for layer in layers) - sum(roof)}
    for layer in layers:
        for cause, count in layer.losses.items():
            causes[cause] = causes.get(cause, 0) + count
    lines = [f"{total:,} cycles, roofline {sum(roof):,.0f}: " + ", ".join(
        f"{cause} {count / total:+.1%}" for cause, count in sorted(
            causes.items(), key=lambda item: -abs(item[1])) if count)]
    worst = sorted(zip(layers, roof, strict=True),
                   key=lambda pair: pair[1] - pair[0].cycles)[:5]
    lines += [f"{layer.op} {layer.shape} ({layer.path}): {layer.cycles:,} "
              f"cycles for {r:,.0f}, {layer.bound}" for layer, r in worst]
    return lines
