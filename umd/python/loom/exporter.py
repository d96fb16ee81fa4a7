# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom.export`: a function or a Flax module becomes a bundle on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bundle as store
from .entries import Entry, check_entries
from .errors import ExportError
from .paths import duplicates
from .versions import __version__, check_flax, check_jax

if TYPE_CHECKING:
    import numpy as np

    from .calls import Call, Leaf


def export(
    fn_or_module: Any,
    args: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    *,
    params: Any = None,
    path: str | os.PathLike[str],
    methods: Sequence[str] | None = None,
    static: Mapping[str, Any] | None = None,
    mutable: Sequence[str] = (),
    rngs: Mapping[str, Any] | None = None,
    entries: Mapping[str, Entry] | None = None,
    state: Any = None,
) -> store.Bundle:
    """Write the bundle of a function, a linen module or an nnx module to the directory `path`.

    fn_or_module: a function fn(params, *args) (or fn(*args) without params); a flax.linen.Module;
        a flax.nnx.Module, which holds its own values.
    args: the positional inputs: arrays, jax.ShapeDtypeStruct or trees of them; shapes are fixed
        by it and values are not stored. With several methods: a dict {method: args}, or one tuple
        for all of them. Typed PRNG keys get the role "rng" and are u32 words in the program.
    params: the weights, a tree of concrete arrays. For linen the dict of collections that
        module.init returned ({"params": ..., "batch_stats": ...}); not for nnx.
    path: directory to write. A bundle that is there is replaced, at once and as a whole; anything
        else there is left alone and is an error.
    methods: names of module methods, one entry point each; default ["__call__"].
    static: keyword arguments bound at trace time, e.g. {"train": False}.
    mutable: collections the call updates, e.g. ["cache"]: their leaves become inputs and donated
        outputs of role "state", initial values in state.safetensors. For nnx the collection of
        a leaf is the name of its Variable type (nnx.BatchStat: "batch_stats").
    rngs: for linen, {name: key} given to module.apply.
    entries: instead of args, methods, static, mutable and rngs: {name: loom.Entry}, plain
        functions over one state, e.g. {"init": Entry.create(init, key), "train":
        Entry.update(step, x, y), "eval": Entry.read(evaluate, x)}. fn_or_module is then the
        module they are about (None if there is none); for nnx the module, or a dict of module
        and optimiser, which the functions take first and may change.
    state: with entries, the tree they share: arrays are its initial value (state.safetensors),
        jax.ShapeDtypeStruct begin as zeros. None: what the first Entry.create returns, zeros
        until that entry has run.

    Every leaf gets a path: "params/Conv_0/kernel", "x", "result". Element types f32 bf16 f16
    i32 u32 i16 u16 i8 u8 i1 (bool); sizes in elements, outermost first.

    Returns the bundle. Raises ExportError (another jax than the tested one, an unsupported type
    or a dynamic shape, missing weights, a trace that fails: with your file and line) or
    BundleError (path is taken, disk refuses). Nothing is written then.
    """
    producer = {"loom": __version__, **check_jax()}
    from . import calls, entry_calls
    from .lowering import lower

    target_path = Path(path)
    store.refuse_foreign(target_path)
    nobody = entries is not None and fn_or_module is None
    kind = "function" if nobody else calls.kind_of(fn_or_module)
    if kind != "function":
        producer["flax"] = check_flax()
    producer["source"] = _source_name(fn_or_module, kind)
    if entries is not None:
        _refuse(
            "entries=, whose functions say it themselves",
            args=args,
            methods=methods,
            static=static,
            mutable=mutable or None,
            rngs=rngs,
        )
        check_entries(entries)
        makers = entry_calls.calls_of(fn_or_module, kind, entries, params, state)
    else:
        _refuse("a call without entries=", state=state)
        options = {
            "static": dict(static or {}),
            "mutable": tuple(mutable),
            "rngs": dict(rngs or {}),
        }
        makers = _calls(fn_or_module, kind, () if args is None else args, params, methods, options)
    rows, artifacts = [], {}
    params_out: dict[str, np.ndarray] = {}
    state_out: dict[str, np.ndarray] = {}
    for make in makers:
        call = make()
        leaves = [leaf for g in call.groups for leaf in g.leaves]
        inputs = _inputs(call, leaves)
        lowered = lower(call)
        artifact = f"{call.name}.vhlo.bc"
        outputs = [store.Tensor(i, *row) for i, row in enumerate(lowered.outputs)]
        rows.append(store.EntryPoint(call.name, artifact, inputs, outputs, lowered.donated))
        artifacts[artifact] = lowered.artifact
        params_out.update(_values(leaves, "param"))
        if call.state:
            leaves = leaves + call.state.leaves
        state_out.update(_values(leaves, "state", partial=entries is not None))
    return store.write_bundle(target_path, producer, rows, artifacts, params_out, state_out)


def _source_name(target: Any, kind: str) -> str:
    if target is None:
        return "entries"
    if isinstance(target, Mapping):
        return type(next(iter(target.values()))).__name__
    if kind == "function":
        return getattr(target, "__qualname__", type(target).__name__)
    return type(target).__name__


def _calls(
    target: Any,
    kind: str,
    args: Sequence[Any] | Mapping[str, Sequence[Any]],
    params: Any,
    methods: Sequence[str] | None,
    options: dict[str, Any],
) -> list[Callable[[], Call]]:
    from . import calls

    static, mutable, rngs = options["static"], options["mutable"], options["rngs"]
    if kind == "function":
        _refuse("a function", methods=methods, mutable=mutable or None, rngs=rngs or None)
        return [lambda: calls.function_call(target, _arguments(args, None), params, static)]
    names = [calls.DEFAULT_ENTRY] if methods is None else list(methods)
    if not names or duplicates(names):
        raise ExportError("methods= must name each method once, and at least one")
    per_method = [(name, _arguments(args, name)) for name in names]
    if kind == "nnx":
        _refuse(
            "an nnx module (it holds its own values and keys)", params=params, rngs=rngs or None
        )
        return [
            lambda n=n, a=a: calls.nnx_call(target, n, a, static, mutable) for n, a in per_method
        ]
    if params is None and target.scope is not None:
        target, params = target.unbind()
    if not isinstance(params, Mapping) or not all(isinstance(v, Mapping) for v in params.values()):
        raise ExportError(
            f"missing params: {type(target).__name__} is a linen module; pass the variables that "
            "module.init returned, a dict of collections, as params="
        )
    return [
        lambda n=n, a=a: calls.linen_call(target, n, a, params, static, mutable, rngs)
        for n, a in per_method
    ]


def _refuse(what: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ExportError(f"{name}= does not apply to {what}; leave it out")


def _arguments(
    args: Sequence[Any] | Mapping[str, Sequence[Any]], method: str | None
) -> tuple[Any, ...]:
    if isinstance(args, Mapping):
        if method is None or method not in args:
            raise ExportError(
                f"args has no entry for {method or 'a function'}; pass a tuple, or a dict with "
                "the name of every method in methods="
            )
        args = args[method]
    if not isinstance(args, (tuple, list)):
        raise ExportError(
            f"args is a {type(args).__name__}; pass a tuple of the positional inputs, e.g. (x,)"
        )
    return tuple(args)


def _inputs(call: Call, leaves: Sequence[Leaf]) -> list[store.Tensor]:
    from .lowering import describe

    twice = duplicates(leaf.path for leaf in leaves)
    if twice:
        raise ExportError(
            f"{call.name}: two inputs are called {twice[0]!r}; rename an argument or a parameter"
        )
    rows = []
    for index, leaf in enumerate(leaves):
        dtype, shape = describe(leaf.path, leaf.value)
        rows.append(store.Tensor(index, leaf.path, leaf.role, dtype, shape))
    return rows


def _values(leaves: Sequence[Leaf], role: str, partial: bool = False) -> dict[str, np.ndarray]:
    """Values by path of the leaves with this role; with `partial` those without one are left out."""
    import jax
    import numpy as np

    from .calls import is_prng_key

    values = {}
    for leaf in leaves:
        if leaf.role != role:
            continue
        if partial and isinstance(leaf.value, jax.ShapeDtypeStruct):
            continue
        if isinstance(leaf.value, jax.ShapeDtypeStruct):
            raise ExportError(
                f"{leaf.path}: missing params: it has a shape but no value; "
                "pass concrete arrays in params="
            )
        data = jax.random.key_data(leaf.value) if is_prng_key(leaf.value) else leaf.value
        if isinstance(data, (bool, int, float)):
            data = jax.numpy.asarray(data)
        # asarray(order="C") keeps 0-d arrays 0-d, which ascontiguousarray does not.
        values[leaf.path] = np.asarray(data, order="C")
    return values
