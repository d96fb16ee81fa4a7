# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions, linen modules and nnx modules seen as one thing: a pure call on groups of arrays.

A group is one positional argument of the function that gets traced, together with the role and
the paths its leaves have in the bundle. The flat order of an entry point's inputs is the order of
the groups, each flattened the way jax does it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ExportError
from .paths import join
from .scopes import part_names

DEFAULT_ENTRY = "__call__"


@dataclass(frozen=True)
class Leaf:
    """An array (or something with shape and dtype) and its name in the bundle."""

    path: str
    role: str
    value: Any


@dataclass(frozen=True)
class Group:
    """One positional argument of a call; `leaves` are in jax's flattening order."""

    name: str
    tree: Any
    leaves: list[Leaf]


@dataclass(frozen=True)
class Call:
    """An entry point before lowering.

    fn takes one argument a group and returns `result`, or `(result, state)` where `state` has the
    tree of that group: what the call updates, or creates if the group is no argument of it.
    """

    name: str
    fn: Callable[..., Any]
    groups: list[Group]
    state: Group | None = None


def group(name: str, tree: Any, role: str, prefix: str) -> Group:
    """The leaves of `tree` named `prefix`/<key path>, all with one role; PRNG keys become "rng"."""
    import jax

    leaves = []
    for keys, value in jax.tree_util.tree_flatten_with_path(tree)[0]:
        is_key = role == "input" and is_prng_key(value)
        leaves.append(Leaf(join(prefix, keys), "rng" if is_key else role, value))
    return Group(name, tree, leaves)


def is_prng_key(value: Any) -> bool:
    """Whether `value` is a typed key as jax.random.key makes it."""
    import jax

    dtype = getattr(value, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)


def argument_names(fn: Callable[..., Any], count: int, skip: int = 0) -> list[str]:
    """Names of the `count` positional arguments that follow the first `skip` ones of `fn`."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())[skip:]
    except (TypeError, ValueError):
        return [f"arg{i}" for i in range(count)]
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}/{i}" for i in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return names[:count] + [f"arg{i}" for i in range(len(names), count)]


def kind_of(target: Any) -> str:
    """ "linen", "nnx" or "function"; ExportError for anything else.

    flax is looked up, not imported: an instance of its classes exists only if somebody did.
    """
    linen, nnx = sys.modules.get("flax.linen"), sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(target, nnx.Module):
        return "nnx"
    if nnx is not None and isinstance(target, Mapping) and target:
        if all(isinstance(value, nnx.Pytree) for value in target.values()):
            return "nnx"
    if linen is not None and isinstance(target, linen.Module):
        return "linen"
    if isinstance(target, type):
        raise ExportError(f"{target.__name__} is a class; export an instance of it, or a function")
    if callable(target):
        return "function"
    raise ExportError(
        f"cannot export a {type(target).__name__}; pass a function, a flax.linen.Module or a "
        "flax.nnx.Module"
    )


def function_call(
    fn: Callable[..., Any], args: Sequence[Any], params: Any, static: Mapping[str, Any]
) -> Call:
    """fn(params, *args), or fn(*args) when params is None."""
    groups = []
    skip = 0
    if params is not None:
        skip = 1
        name = argument_names(fn, 1)[0]
        flax_variables = isinstance(params, Mapping) and "params" in params
        groups.append(group(name, params, "param", "" if flax_variables else "params"))
    groups += input_groups(fn, args, skip)
    return Call(DEFAULT_ENTRY, named(lambda *a: fn(*a, **static), fn, groups), groups)


def linen_call(
    module: Any,
    method: str,
    args: Sequence[Any],
    variables: Mapping[str, Any],
    static: Mapping[str, Any],
    mutable: Sequence[str],
    rngs: Mapping[str, Any],
) -> Call:
    """module.apply on the variables, `mutable` collections split off as state."""
    function = _method(module, method)
    fixed = {k: v for k, v in variables.items() if k not in mutable}
    state = {k: v for k, v in variables.items() if k in mutable}
    missing = [name for name in mutable if name not in variables]
    if missing:
        have = ", ".join(variables) or "none"
        raise ExportError(
            f"mutable collection {missing[0]!r} is not in params (collections there: {have}); "
            "pass its initial value in params="
        )
    groups = [group("variables", fixed, "param", "")]
    changed = group("state", state, "state", "") if state else None
    if changed:
        groups.append(changed)
    if rngs:
        groups.append(group("rngs", dict(rngs), "input", "rngs"))
    groups += input_groups(function, args, 0)

    def call(*operands: Any) -> Any:
        operands_left = list(operands)
        bound = dict(operands_left.pop(0))
        if state:
            bound.update(operands_left.pop(0))
        keys = operands_left.pop(0) if rngs else None
        out = module.apply(
            bound,
            *operands_left,
            method=method,
            rngs=keys,
            mutable=list(mutable) or False,
            **static,
        )
        return (out[0], dict(out[1])) if state else out

    return Call(method, named(call, function, groups, method), groups, changed)


def nnx_call(
    module: Any,
    method: str,
    args: Sequence[Any],
    static: Mapping[str, Any],
    mutable: Sequence[str],
) -> Call:
    """nnx.split, then nnx.merge under the trace: nnx.jit would lose the names of the leaves."""
    from flax import nnx

    function = _method(module, method)
    graph, everything = nnx.split(module)
    roles: dict[tuple, tuple[str, str]] = {}
    for keys, path in nnx_paths(everything).items():
        roles[keys] = (path, "state" if path.split("/")[0] in mutable else "param")
    present = {path.split("/")[0] for path, _ in roles.values()}
    missing = [name for name in mutable if name not in present]
    if missing:
        raise ExportError(
            f"mutable collection {missing[0]!r} is not in the module "
            f"(collections there: {', '.join(sorted(present)) or 'none'}); correct mutable="
        )

    def is_state(keys: tuple, _: Any) -> bool:
        return roles[tuple(keys)][1] == "state"

    fixed, state = nnx.split_state(everything, lambda k, v: not is_state(k, v), ...)
    groups = [_nnx_group("params", fixed, roles)]
    changed = _nnx_group("state", state, roles) if nnx.to_flat_state(state) else None
    if changed:
        groups.append(changed)
    groups += input_groups(function, args, 0)

    def call(*operands: Any) -> Any:
        operands_left = list(operands)
        states = [operands_left.pop(0)] + ([operands_left.pop(0)] if changed else [])
        merged = nnx.merge(graph, *states)
        with part_names(merged):
            out = getattr(merged, method)(*operands_left, **static)
        if not changed:
            return out
        _, after = nnx.split(merged)
        return out, nnx.split_state(after, is_state, ...)[0]

    return Call(method, named(call, function, groups, method), groups, changed)


def nnx_paths(state: Any) -> dict[tuple, str]:
    """Key path of each variable -> "collection/path"; the collection is the Variable's type."""
    from flax import nnx
    from flax.nnx import variablelib

    paths = {}
    for keys, variable in nnx.to_flat_state(state):
        collection = variablelib.variable_name_from_type(type(variable), allow_register=True)
        paths[keys] = "/".join([collection, *map(str, keys)])
    return paths


def _nnx_group(name: str, state: Any, roles: Mapping[tuple, tuple[str, str]]) -> Group:
    import jax

    leaves = []
    for keys, value in jax.tree_util.tree_flatten_with_path(state)[0]:
        # The last key is the Variable's own `.value`.
        path, role = roles[tuple(k.key for k in keys if hasattr(k, "key"))]
        leaves.append(Leaf(path, role, value))
    return Group(name, state, leaves)


def input_groups(fn: Callable[..., Any], args: Sequence[Any], skip: int) -> list[Group]:
    """A group for each argument, named as `fn` names those after its first `skip` ones."""
    names = argument_names(fn, len(args), skip)
    return [group(name, arg, "input", name) for name, arg in zip(names, args, strict=True)]


def _method(module: Any, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise ExportError(f"{type(module).__name__} has no method {name!r}; correct methods=")
    return function


def named(
    call: Callable[..., Any],
    original: Callable[..., Any],
    groups: Sequence[Group],
    name: str | None = None,
) -> Callable[..., Any]:
    """Give `call` the names that jax writes into the artifact's argument locations and scopes."""
    call.__name__ = call.__qualname__ = name or getattr(original, "__name__", "call")
    kind = inspect.Parameter.POSITIONAL_ONLY
    names = [g.name.replace("/", "_") for g in groups]
    if all(n.isidentifier() for n in names) and len(set(names)) == len(names):
        call.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])
    return call
