# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a call to artifact bytes: trace, lower for the platform 'loom', serialise.

Only this file and calls.py touch jax; it is imported when `export` runs.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .calls import Call, Group, is_prng_key
from .dtypes import loom_name, remedy
from .errors import ExportError
from .paths import join
from .refusals import REFUSALS

PLATFORM = "loom"
STABLEHLO_VERSION = "1.17.0"  # what the compiler's reader covers
MODULES_SINCE = 440  # jaxlib 0.10.1: serialises modules; before it, their bytecode
ARTIFACT_MAGIC = b"ML\xefR"


@dataclass(frozen=True)
class Lowered:
    """outputs: (path, role, dtype, shape) in flat order; donated: indices of aliased inputs."""

    artifact: bytes
    outputs: list[tuple[str, str, str, tuple[int, ...]]]
    donated: list[int]


def describe(path: str, value: Any) -> tuple[str, tuple[int, ...]]:
    """(dtype name, shape) of one leaf as the artifact sees it; a PRNG key is its u32 words.

    ExportError for something that is no array, a dynamic shape or a type a bundle cannot hold.
    """
    import jax

    if is_prng_key(value):
        value = jax.eval_shape(jax.random.key_data, value)
    if isinstance(value, (bool, int, float, complex)):
        value = jax.eval_shape(jax.numpy.asarray, value)
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise ExportError(
            f"{path}: a {type(value).__name__} is no array; pass arrays or jax.ShapeDtypeStruct, "
            "and bind other arguments with static={'name': value}"
        )
    for size in value.shape:
        if not isinstance(size, int):
            shape = "x".join("?" if d is None else str(d) for d in value.shape)
            raise ExportError(
                f"{path}: shape {shape} has a dynamic dimension ({size}); programs for the NPU "
                "have fixed shapes: export with a concrete size, once for each size you need"
            )
    name = loom_name(value.dtype)
    if name is None:
        raise ExportError(
            f"{path}: element type {value.dtype} is not supported; {remedy(value.dtype)}"
        )
    if jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        raise ExportError(
            f"{path}: JAX takes {value.dtype} for a narrower type; {remedy(value.dtype)}, or set "
            "jax_enable_x64"
        )
    return name, tuple(value.shape)


def lower(call: Call) -> Lowered:
    """Trace and lower `call`. ExportError names the user's line where either of them fails."""
    import jax

    state = [i for i, g in enumerate(call.groups) if g is call.state]
    # Unused inputs stay, so that flat indices do not depend on what the method happens to use.
    jitted = jax.jit(call.fn, keep_unused=True, donate_argnums=tuple(state))
    traced, module = _module(call.name, jitted, tuple(g.tree for g in call.groups), {})
    return Lowered(_serialise(module), _outputs(call, traced.out_info), _donated(module))


def artifact_of(name: str, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """The artifact of fn(*args, **kwargs), where fn may be jitted already. Errors as lower()."""
    import jax

    jitted = fn if hasattr(fn, "trace") else jax.jit(fn)
    return _serialise(_module(name, jitted, args, kwargs)[1])


def _module(
    name: str, jitted: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Any]:
    """What tracing gave, and its module for the platform 'loom'."""
    from jax._src import config

    # Shardy would put operations of a dialect into the artifact that the format does not cover.
    with config.use_shardy_partitioner(False), _donation():
        try:
            traced = jitted.trace(*args, **kwargs)
        except ExportError:
            raise
        except Exception as e:
            raise trace_failure(name, e) from e
        try:
            return traced, traced.lower(lowering_platforms=(PLATFORM,)).compiler_ir("stablehlo")
        except Exception as e:
            raise ExportError(_lower_message(name, e, traced)) from e


def _serialise(module: Any) -> bytes:
    from jax._src.interpreters import mlir
    from jax._src.lib import jaxlib_extension_version
    from jaxlib import _jax

    if jaxlib_extension_version < MODULES_SINCE:
        module = mlir.module_to_bytecode(module)
    return _jax.mlir.serialize_portable_artifact(module, STABLEHLO_VERSION, False)


def trace_failure(name: str, error: Exception) -> ExportError:
    """The error to raise where tracing the entry point `name` failed."""
    return error if isinstance(error, ExportError) else ExportError(_trace_message(name, error))


@contextmanager
def _donation() -> Iterator[None]:
    # jax writes donation into the program only for the platforms of this private list.
    from jax._src.interpreters import mlir

    platforms = mlir._platforms_with_donation
    added = PLATFORM not in platforms
    if added:
        platforms.append(PLATFORM)
    try:
        yield
    finally:
        if added:
            platforms.remove(PLATFORM)


def _outputs(call: Call, info: Any) -> list[tuple[str, str, str, tuple[int, ...]]]:
    import jax

    result, state = info if call.state else (info, None)
    rows = [
        (join("result", keys), "output", value)
        for keys, value in jax.tree_util.tree_flatten_with_path(result)[0]
    ]
    if call.state:
        rows += _state_outputs(call.name, call.state, state)
    if not rows:
        raise ExportError(f"{call.name}: returns no array; return at least one")
    return [(path, role, *describe(path, value)) for path, role, value in rows]


def _state_outputs(name: str, before: Group, after: Any) -> list[tuple[str, str, Any]]:
    """The state goes out as it came in: the same tree, so the same order and the same paths."""
    import jax

    old, new = jax.tree_util.tree_structure(before.tree), jax.tree_util.tree_structure(after)
    if old != new:
        have = {leaf.path for leaf in before.leaves}
        got = {join("", keys) for keys, _ in jax.tree_util.tree_flatten_with_path(after)[0]}
        differs = ", ".join(sorted(have ^ got)[:3]) or f"{new} instead of {old}"
        raise ExportError(
            f"{name}: the call changes which state leaves exist ({old.num_leaves} before, "
            f"{new.num_leaves} after: {differs}); return the whole state, with the tree that "
            "state= has"
        )
    rows = []
    for leaf, value in zip(before.leaves, jax.tree_util.tree_leaves(after), strict=True):
        was, now = describe(leaf.path, leaf.value), describe(leaf.path, value)
        if was != now:
            raise ExportError(
                f"{name}: state {leaf.path} is {_typed(*was)} and becomes {_typed(*now)}; keep its "
                "shape and type, e.g. with .astype"
            )
        rows.append((leaf.path, "state", value))
    return rows


def _typed(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype}[{','.join(map(str, shape))}]"


def _donated(module: Any) -> list[int]:
    main = next(op for op in module.body.operations if op.attributes["sym_name"].value == "main")
    attributes = main.attributes["arg_attrs"] if "arg_attrs" in main.attributes else []
    return [i for i, a in enumerate(attributes) if "tf.aliasing_output" in a]


def _trace_message(name: str, error: Exception) -> str:
    first = _first_line(error)
    hint = "run the function under jax.jit to see the whole traceback, and correct this line"
    kind = type(error).__name__
    if kind in (
        "TracerBoolConversionError",
        "ConcretizationTypeError",
        "TracerIntegerConversionError",
    ):
        hint = "bind arguments that steer Python code with static={'name': value}"
    elif kind in (
        "ScopeParamNotFoundError",
        "ScopeCollectionNotFound",
        "ScopeVariableNotFoundError",
    ):
        hint = "pass the variables that module.init returns as params="
        return f"{name}: missing params: {first}; {hint}"
    elif kind == "ScopeParamShapeError":
        hint = "pass params that were initialised for inputs of this shape"
    elif kind == "ModifyScopeVariableError":
        hint = "name the collection that the call updates in mutable=[...]"
    return f"{_where(error)}: tracing {name} failed: {kind}: {first}; {hint}"


def _lower_message(name: str, error: Exception, traced: Any) -> str:
    primitives = _being_lowered(error)
    lines = [_primitive_line(traced.jaxpr, p) for p in primitives]
    at = next((line for line in reversed(lines) if line), "unknown line")
    refused = next((p for p in primitives if p in REFUSALS), None)
    if refused:
        why, instead = REFUSALS[refused]
        return f"{at}: lowering {name} failed: '{refused}' {why}; {instead}"
    missing = primitives and "not found for platform" in str(error)
    what = (
        f"the operation '{primitives[-1]}' has no StableHLO form"
        if missing
        else _first_line(error)
    )
    return (
        f"{at}: lowering {name} failed: {what} for platform '{PLATFORM}'; keep this part outside "
        "the exported function, or write it with other operations"
    )


def _being_lowered(error: Exception) -> list[str]:
    """Names of the primitives that were being lowered, each one part of the one before."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    found = (f.f_locals.get("eqn") for f in frames if f.f_code.co_name == "jaxpr_subcomp")
    return [equation.primitive.name for equation in found if equation is not None]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".;") if lines else type(error).__name__


def _where(error: Exception) -> str:
    """file:line of the deepest frame that is neither ours nor a library's."""
    user = "unknown line"
    for frame in traceback.extract_tb(error.__traceback__):
        if not _is_library(frame.filename):
            user = f"{frame.filename}:{frame.lineno}"
    return user


def _is_library(filename: str) -> bool:
    here = str(Path(__file__).resolve().parent)
    parts = Path(filename).parts
    return (
        filename.startswith("<")
        or str(Path(filename).resolve().parent) == here
        or any(p in ("site-packages", "dist-packages") or p.startswith("python3.") for p in parts)
    )


def _primitive_line(jaxpr: Any, primitive: str, caller: str | None = None) -> str | None:
    """file:line of the first equation with this primitive, sub-programs included.

    Equations inside a library's own jit carry no user frame; the call's line stands for them.
    """
    from jax._src import source_info_util
    from jax._src.core import jaxprs_in_params

    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        frame = source_info_util.user_frame(equation.source_info.traceback)
        line = f"{frame.file_name}:{frame.start_line}" if frame else caller
        if equation.primitive.name == primitive:
            return line
        for inner in jaxprs_in_params(equation.params):
            found = _primitive_line(inner, primitive, line)
            if found:
                return found
    return None
