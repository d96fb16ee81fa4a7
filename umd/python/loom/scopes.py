# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names of nnx modules in what they compute.

linen puts each module's call under its name, which is how reports, faults and the kernel know a layer;
nnx does not. Under `part_names` its modules do: the outermost call by the class, a part by the
attribute of the module that calls it (`hidden`, `layers_0`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def part_names(*objects: Any) -> Iterator[None]:
    """While it lasts, calls of the modules in `objects`, and of copies of them, name what they do.

    Transformations like nnx.grad call copies: a module is known by where its caller holds it.
    """
    from flax import nnx

    classes = {
        type(node)
        for root in objects
        for _, node in nnx.iter_graph(root)
        if isinstance(node, nnx.Module) and _has_call(type(node))
    }
    own = {cls: vars(cls).get("__call__") for cls in classes}
    running: list[Any] = []
    try:
        for cls in classes:
            cls.__call__ = _named(cls.__call__, running)
        yield
    finally:
        for cls, call in own.items():
            if call is None:
                del cls.__call__
            else:
                cls.__call__ = call


def _has_call(cls: type) -> bool:
    # Not by hasattr: every class has its metaclass's, which makes instances.
    return any("__call__" in vars(base) for base in cls.__mro__)


def _named(call: Callable[..., Any], running: list[Any]) -> Callable[..., Any]:
    import jax

    @functools.wraps(call)
    def named_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if running and running[-1] is self:  # a class that calls the one it comes from
            return call(self, *args, **kwargs)
        name = _place(running[-1], self) if running else None
        running.append(self)
        try:
            with jax.named_scope(name or type(self).__name__):
                return call(self, *args, **kwargs)
        finally:
            running.pop()

    return named_call


def _place(holder: Any, part: Any) -> str | None:
    """The attribute of `holder` that is or contains `part`."""
    for name, value in vars(holder).items():
        if value is part:
            return name
        items: Any = ()
        if isinstance(value, Mapping):
            items = value.items()
        elif isinstance(value, Sequence) and not isinstance(value, str):
            items = enumerate(value)
        for key, item in items:
            if item is part:
                return f"{name}_{key}"
    return None
