# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Entry points as plain functions over one state: what `loom.export(..., entries=)` takes.

The state is a tree of arrays: parameters, optimiser state, batch statistics, keys. On the device it
belongs to the instance and survives from call to call; every entry point names its leaves alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import ExportError

Use = Literal["none", "create", "read", "update", "submodule"]


@dataclass(frozen=True)
class Entry:
    """One entry point; made by the class methods, which say what it does with the state.

    args: the inputs, as in `loom.export`: arrays, jax.ShapeDtypeStruct or trees of them.
    static: keyword arguments bound at trace time, e.g. train=True.

    With `params=` given to `export`, every function takes them as its first argument.
    """

    use: Use
    fn: Callable[..., Any] | None
    args: tuple[Any, ...]
    static: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @classmethod
    def call(cls, fn: Callable[..., Any], *args: Any, **static: Any) -> Entry:
        """fn(*args) -> result; the state is not used."""
        return cls("none", fn, args, static)

    @classmethod
    def create(cls, fn: Callable[..., Any], *args: Any, **static: Any) -> Entry:
        """fn(*args) -> state: initialisation, e.g. from a key."""
        return cls("create", fn, args, static)

    @classmethod
    def read(cls, fn: Callable[..., Any], *args: Any, **static: Any) -> Entry:
        """fn(state, *args) -> result: inference, evaluation."""
        return cls("read", fn, args, static)

    @classmethod
    def update(cls, fn: Callable[..., Any], *args: Any, **static: Any) -> Entry:
        """fn(state, *args) -> (state, result): a train step, a decoder step with its cache."""
        return cls("update", fn, args, static)

    @classmethod
    def submodule(cls, path: str, *args: Any, **static: Any) -> Entry:
        """The part of a linen module at `path`, e.g. "encoder/Dense_0", on its own.

        args and static are those of the whole module: its call shows what the part is given.
        """
        return cls("submodule", None, args, static, path)


def check_entries(entries: Mapping[str, Any]) -> None:
    """ExportError unless `entries` is a table of names and Entry."""
    if not isinstance(entries, Mapping) or not entries:
        raise ExportError(
            "entries= must be a dict with at least one name, e.g. "
            '{"train": loom.Entry.update(train_step, x, y)}'
        )
    for name, entry in entries.items():
        if not isinstance(name, str) or not name or "/" in name:
            raise ExportError(f"entries={{{name!r}: ...}}: a name is a text without a slash")
        if not isinstance(entry, Entry):
            raise ExportError(
                f"{name}: a {type(entry).__name__} is no entry; use loom.Entry.call, .create, "
                ".read, .update or .submodule"
            )


def part_of(tree: Any, path: Sequence[str]) -> Any:
    """The subtree of nested mappings at `path`; None where there is none."""
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree
