# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom.placement` and `loom.report`: where a JAX function runs, and how long it takes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from . import tables
from .compiler import Compiled, compile_artifact
from .errors import CompileError, ExportError
from .tables import Column

MOST_PARTS = 400  # of a picture


@dataclasses.dataclass(frozen=True)
class PlacedOperation:
    """An operation, or a layer that several were fused into. engine "NPU" or "CPU"; module: path
    of the module; source: file:line; why: reason for the CPU; bytes moved, cycles modelled."""

    segment: int
    engine: str
    operation: str
    module: str
    source: str
    why: str
    bytes: int
    cycles: int


@dataclasses.dataclass(frozen=True)
class Placement:
    """Which engine runs each operation, and why. str() is a table; a notebook shows one too.

    function, target; operations in the order of execution; segments: pieces that one engine runs;
    cycles: modelled, of one call.
    """

    function: str
    target: str
    clock_khz: int
    segments: int
    cycles: int
    operations: tuple[PlacedOperation, ...]

    COLUMNS = (
        Column("segment", number=True),
        Column("engine"),
        Column("operation", cut=True),
        Column("module", cut=True),
        Column("why on the CPU", cut=True),
        Column("bytes", number=True),
        Column("cycles", number=True),
    )

    @property
    def npu(self) -> tuple[PlacedOperation, ...]:
        """What the NPU runs."""
        return tuple(o for o in self.operations if o.engine == "NPU")

    @property
    def cpu(self) -> tuple[PlacedOperation, ...]:
        """What the CPU engine runs."""
        return tuple(o for o in self.operations if o.engine == "CPU")

    @property
    def summary(self) -> str:
        """One line."""
        share = sum(o.cycles for o in self.cpu) / self.cycles if self.cycles else 0.0
        return (
            f"{len(self.npu)} layers on the NPU, {len(self.cpu)} operations on the CPU engine "
            f"({share:.1%} of the cycles), {self.segments} segments, "
            f"{tables.count(self.cycles)} cycles = {tables.duration(self.cycles, self.clock_khz)}"
        )

    def _rows(self) -> list[list[str]]:
        return [
            [
                str(o.segment),
                o.engine,
                o.operation,
                o.module or o.source,
                o.why,
                tables.size(o.bytes),
                tables.count(o.cycles),
            ]
            for o in self.operations
        ]

    def __str__(self) -> str:
        title = f"{self.function} on {self.target}: {self.summary}"
        if not self.operations:
            return title
        return title + "\n" + tables.text(self.COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        parts = [
            (o.engine, o.cycles, f"{o.engine}: {o.operation} {o.module}: {o.cycles:,} cycles")
            for o in self.operations[:MOST_PARTS]
        ]
        most = max((o.cycles for o in self.operations), default=1) or 1
        bars = [(o.engine, o.cycles / most, o.cycles / most) for o in self.operations]
        return tables.page(
            f"{self.function} on {self.target}",
            self.summary,
            [
                tables.strip(parts, sum(p[1] for p in parts)),
                tables.legend([("NPU", "NPU"), ("CPU", "CPU engine: same bits, slower")]),
                tables.html_table(self.COLUMNS, self._rows(), bars),
            ],
        )


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer as the compiler planned it. bound: the resource that limits it ("MXU", "VPU",
    "memory"); cycles modelled, ideal: what a perfect schedule would need; macs: products; bytes
    moved to and from memory."""

    operation: str
    shape: str
    module: str
    source: str
    bound: str
    cycles: int
    ideal: int
    macs: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Report:
    """Where the cycles of one call go, layer by layer. str() is a table; a notebook shows one too.

    cycles: modelled, of one call; utilisation: share of the array's peak; macs: products; exact:
    False where data decide how often a loop or which branch runs (cycles of the shortest way).
    """

    function: str
    target: str
    clock_khz: int
    cycles: int
    utilisation: float
    macs: int
    code_bytes: int
    const_bytes: int
    scratch_bytes: int
    exact: bool
    layers: tuple[Layer, ...]

    COLUMNS = (
        Column("layer", number=True),
        Column("operation", cut=True),
        Column("module", cut=True),
        Column("bound"),
        Column("bytes", number=True),
        Column("products", number=True),
        Column("cycles", number=True),
        Column("ideal", number=True),
        Column("%", number=True),
    )

    @property
    def summary(self) -> str:
        """One line."""
        shortest = "" if self.exact else " at least"
        return (
            f"{tables.count(self.cycles)} cycles{shortest} = "
            f"{tables.duration(self.cycles, self.clock_khz)}, array {self.utilisation:.1%} busy, "
            f"{tables.count(self.macs)} products, {tables.size(self.code_bytes)} of code, "
            f"{tables.size(self.const_bytes)} of constants, {tables.size(self.scratch_bytes)} of "
            "scratch"
        )

    def _rows(self) -> list[list[str]]:
        return [
            [
                str(i),
                f"{x.operation} {x.shape}",
                x.module or x.source,
                x.bound,
                tables.size(x.bytes),
                tables.count(x.macs),
                tables.count(x.cycles),
                tables.count(x.ideal),
                _share(x.ideal, x.cycles),
            ]
            for i, x in enumerate(self.layers)
        ]

    def __str__(self) -> str:
        title = f"{self.function} on {self.target}: {self.summary}"
        if not self.layers:
            return title
        return title + "\n" + tables.text(self.COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        parts = [
            (x.bound, x.cycles, f"{x.operation} {x.shape} {x.module}: {x.cycles:,} cycles")
            for x in self.layers[:MOST_PARTS]
        ]
        most = max((x.cycles for x in self.layers), default=1) or 1
        bars = [(x.bound, x.cycles / most, x.ideal / most) for x in self.layers]
        names = [(b, f"bound by {b}") for b in dict.fromkeys(x.bound for x in self.layers)]
        return tables.page(
            f"{self.function} on {self.target}",
            self.summary,
            [
                tables.strip(parts, sum(p[1] for p in parts)),
                tables.legend([*names, ("", "solid part of a bar: ideal")]),
                tables.html_table(self.COLUMNS, self._rows(), bars),
            ],
        )


def placement(f: Any, *args: Any, target: str | None = None, **kwargs: Any) -> Placement:
    """Where each operation of f(*args, **kwargs) runs, and why. Nothing is run.

    f: a function, jitted or not, e.g. a linen module's `apply`; or an nnx module.
    args, kwargs: as for the call; jax.ShapeDtypeStruct will do for arrays.
    target: npu8, npu16, npu64, npu128; None: that of the device which JAX would use.

    Raises CompileError: what neither engine runs, one line each with your line and the remedy;
    a trace that fails), VersionError, DeviceError (no such target), LibraryError.
    """
    name, compiled = _compile(f, args, kwargs, target)
    told = compiled.placement
    rows = [
        PlacedOperation(
            row["segment"],
            engine.upper(),
            row["operation"],
            row["module"],
            row["source"],
            row.get("why", ""),
            row["bytes"],
            row["cycles"],
        )
        for engine in ("npu", "cpu")
        for row in told.get(engine, ())
    ]
    rows.sort(key=lambda row: row.segment)  # stable: within a segment as the compiler lists them
    return Placement(
        name,
        compiled.target,
        compiled.clock_khz,
        told.get("segments", 0),
        told.get("cycles", 0),
        tuple(rows),
    )


def report(f: Any, *args: Any, target: str | None = None, **kwargs: Any) -> Report:
    """Where the cycles of f(*args, **kwargs) go, layer by layer. Nothing is run.

    Arguments and errors are those of `placement`. `loom report` says more about a .loom file.
    """
    name, compiled = _compile(f, args, kwargs, target)
    told = compiled.report
    layers = tuple(
        Layer(
            x["op"],
            x["shape"],
            x["module"],
            x["source"],
            x["bound"],
            x["cycles"],
            x["ideal"],
            x["macs"],
            x["bytes"],
        )
        for x in told.get("layers", ())
    )
    return Report(
        name,
        compiled.target,
        compiled.clock_khz,
        told.get("cycles", 0),
        told.get("utilisation", 0.0),
        told.get("macs", 0),
        told.get("code_bytes", 0),
        told.get("const_bytes", 0),
        told.get("scratch_bytes", 0),
        told.get("bounded", True),
        layers,
    )


def _compile(
    f: Any, args: tuple[Any, ...], kwargs: dict[str, Any], target: str | None
) -> tuple[str, Compiled]:
    from .lowering import artifact_of
    from .versions import check_plugin

    check_plugin()
    function, args = _plain(f, args)
    name = _name(f)
    try:
        artifact = artifact_of(name, function, args, kwargs)
    except ExportError as e:
        raise CompileError(str(e)) from e
    return name, compile_artifact(artifact, name, target)


def _share(ideal: int, cycles: int) -> str:
    """Above 100 part of the layer's work was done while an earlier layer still ran."""
    if ideal > cycles:
        return ">100"
    return f"{100 * ideal / cycles:.0f}" if cycles else ""


def _plain(f: Any, args: tuple[Any, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """An nnx module as a function of its state."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is None or not isinstance(f, nnx.Module):
        return f, args
    definition, state = nnx.split(f)

    def call(state: Any, *args: Any, **kwargs: Any) -> Any:
        return nnx.merge(definition, state)(*args, **kwargs)

    return call, (state, *args)


def _name(f: Any) -> str:
    own = getattr(f, "__name__", None) or type(f).__name__
    holder = getattr(f, "__self__", None)
    return f"{type(holder).__name__}.{own}" if holder is not None else own
