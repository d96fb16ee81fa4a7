# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`entries=` as calls: plain functions over a state, nnx functions over objects, parts of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .calls import Call, Group, Leaf, group, input_groups, named, nnx_paths
from .entries import Entry, part_of
from .errors import ExportError
from .scopes import part_names


def calls_of(
    target: Any, kind: str, entries: Mapping[str, Entry], params: Any, state: Any
) -> list[Callable[[], Call]]:
    """One maker for each entry; `state` is a tree, or None to take it from the first `create`."""
    if kind == "nnx":
        source: _Source = _NnxSource(target, state)
    else:
        source = _TreeSource(entries, params, state)
    makers = []
    for name, entry in entries.items():
        if entry.use == "submodule":
            if kind != "linen":
                raise ExportError(
                    f"{name}: a submodule is of a linen module; pass it as the first argument, or "
                    "export the nnx part itself"
                )
            makers.append(lambda n=name, e=entry: _submodule_call(n, target, e, source))
        else:
            makers.append(lambda n=name, e=entry: source.call(n, e))
    return makers


class _Source:
    """Where the state comes from, and how a function sees it."""

    params: Group | None = None
    state: Group | None = None

    def call(self, name: str, entry: Entry) -> Call:
        raise NotImplementedError

    def need_state(self, name: str, use: str) -> Group:
        if self.state is None or not self.state.leaves:
            raise ExportError(
                f"{name}: there is no state to {use}; pass its initial value as state=, or an "
                "entry made by loom.Entry.create"
            )
        return self.state


class _TreeSource(_Source):
    """A tree that the functions take first and return."""

    def __init__(self, entries: Mapping[str, Entry], params: Any, state: Any) -> None:
        if params is not None:
            flax_variables = isinstance(params, Mapping) and "params" in params
            self.params = group("params", params, "param", "" if flax_variables else "params")
        if state is None:
            state = self._created(entries)
        if state is not None:
            self.state = group("state", state, "state", _prefix(state))

    def _created(self, entries: Mapping[str, Entry]) -> Any:
        import jax

        from .lowering import trace_failure

        for name, entry in entries.items():
            if entry.use != "create":
                continue
            first = [self.params.tree] if self.params else []
            try:
                return jax.eval_shape(
                    lambda *a, e=entry: e.fn(*a, **e.static), *first, *entry.args
                )
            except Exception as e:
                raise trace_failure(name, e) from e
        return None

    def call(self, name: str, entry: Entry) -> Call:
        fn, static, use = entry.fn, dict(entry.static), entry.use
        groups = [self.params] if self.params else []
        if use in ("read", "update"):
            groups.append(self.need_state(name, use))
        changed = self.need_state(name, use) if use in ("create", "update") else None
        groups += input_groups(fn, entry.args, len(groups))

        def call(*operands: Any) -> Any:
            out = fn(*operands, **static)
            if use == "create":
                return None, out
            if use == "update":
                if not isinstance(out, tuple) or len(out) != 2:
                    raise ExportError(
                        f"{name}: returned a {type(out).__name__}; an entry of loom.Entry.update "
                        "returns (state, result)"
                    )
                return out[1], out[0]
            return out

        return Call(name, named(call, fn, groups, name), groups, changed)


class _NnxSource(_Source):
    """Objects that the functions take and change: a module, or a dict of modules and optimisers."""

    def __init__(self, target: Any, state: Any) -> None:
        from flax import nnx

        if state is not None:
            raise ExportError("state= does not apply to nnx objects, which hold their own values")
        self.many = isinstance(target, Mapping)
        self.graph, values = nnx.split(dict(target) if self.many else target)
        self.state = _nnx_state(values)

    def call(self, name: str, entry: Entry) -> Call:
        from flax import nnx

        fn, static, use = entry.fn, dict(entry.static), entry.use
        if use == "create":
            raise ExportError(
                f"{name}: nnx objects are created before export; use loom.Entry.update for a "
                "method that fills them anew"
            )
        groups = [self.need_state(name, use)] if use != "none" else []
        changed = self.state if use == "update" else None

        def call(*operands: Any) -> Any:
            if use == "none":
                return fn(*operands, **static)
            objects = nnx.merge(self.graph, operands[0])
            given = list(objects.values()) if self.many else [objects]
            with part_names(*given):
                out = fn(*given, *operands[1:], **static)
            return (out, nnx.split(objects)[1]) if changed else out

        skip = 0 if use == "none" else len(self.graph_names())
        groups += input_groups(fn, entry.args, skip)
        return Call(name, named(call, fn, groups, name), groups, changed)

    def graph_names(self) -> Sequence[str]:
        from flax import nnx

        return list(nnx.merge(self.graph, self.state.tree)) if self.many else ["module"]


def _nnx_state(values: Any) -> Group:
    import jax

    paths = nnx_paths(values)
    leaves = []
    for keys, value in jax.tree_util.tree_flatten_with_path(values)[0]:
        leaves.append(Leaf(paths[tuple(k.key for k in keys if hasattr(k, "key"))], "state", value))
    return Group("state", values, leaves)


def _prefix(state: Any) -> str:
    """Names of the state's own come first where it has them."""
    named_fields = isinstance(state, Mapping) or hasattr(state, "__dataclass_fields__")
    return "" if named_fields or hasattr(state, "_fields") else "state"


def _submodule_call(name: str, module: Any, entry: Entry, source: _Source) -> Call:
    """The part's own call, on its part of the variables, with the inputs that the whole gives it."""
    holder = source.params or source.need_state(name, "read")
    variables, role = holder.tree, "param" if source.params else "state"
    part, args, kwargs = _find_part(name, module, entry, variables)
    path = entry.path.split("/")
    groups = []
    for collection in variables:
        tree = part_of(variables[collection], path)
        if tree is not None:
            groups.append(group(collection, tree, role, "/".join([collection, *path])))
    count = len(groups)
    collections = [g.name for g in groups]
    # What is no array steered the parent's Python code, and is bound.
    inputs = [i for i, arg in enumerate(args) if _has_arrays(arg)]
    groups += [group(f"arg{i}", args[i], "input", f"arg{i}") for i in inputs]

    def call(*operands: Any) -> Any:
        bound = dict(zip(collections, operands[:count], strict=True))
        given = dict(zip(inputs, operands[count:], strict=True))
        return part.apply(bound, *(given.get(i, arg) for i, arg in enumerate(args)), **kwargs)

    return Call(name, named(call, call, groups, name), groups)


def _find_part(
    name: str, module: Any, entry: Entry, variables: Any
) -> tuple[Any, list[Any], dict[str, Any]]:
    """The unbound submodule at the entry's path, and the arguments of its first call."""
    import flax.linen as nn
    import jax

    from .lowering import trace_failure

    if not isinstance(variables, Mapping) or "params" not in variables:
        raise ExportError(
            f"{name}: a submodule needs the variables that module.init returned, with their "
            'collections: pass them as params= or state={"params": ...}'
        )
    path = tuple(entry.path.split("/"))
    seen: list[str] = []
    found: list[tuple[Any, Any, Any]] = []

    def watch(next_function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name == "__call__" and context.module.path:
            seen.append("/".join(context.module.path))
            if context.module.path == path and not found:
                shapes = jax.tree.map(_shape_of, (args, kwargs))
                found.append((context.module.clone(parent=None, name=None), *shapes))
        return next_function(*args, **kwargs)

    usable = {k: v for k, v in variables.items() if isinstance(v, Mapping)}
    try:
        with nn.intercept_methods(watch):
            jax.eval_shape(
                lambda v, *a: module.apply(v, *a, mutable=True, **entry.static), usable, *entry.args
            )
    except Exception as e:
        raise trace_failure(name, e) from e
    if not found:
        raise ExportError(
            f"{name}: {type(module).__name__} calls no submodule {entry.path!r}; it calls: "
            f"{', '.join(dict.fromkeys(seen)) or 'none'}"
        )
    part, args, kwargs = found[0]
    return part, list(args), kwargs


def _has_arrays(tree: Any) -> bool:
    import jax

    return any(hasattr(leaf, "shape") for leaf in jax.tree_util.tree_leaves(tree))


def _shape_of(value: Any) -> Any:
    import jax

    return jax.ShapeDtypeStruct(value.shape, value.dtype) if hasattr(value, "shape") else value
