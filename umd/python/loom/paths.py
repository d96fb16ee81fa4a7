# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names of pytree leaves: jax's key paths as slash-separated strings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def join(prefix: str, keys: Iterable[Any]) -> str:
    """`prefix` and jax key-path entries as one path: ("x", [DictKey("a"), SequenceKey(0)]) -> "x/a/0"."""
    parts = [prefix] if prefix else []
    return "/".join(parts + [_text(key) for key in keys])


def _text(key: Any) -> str:
    # The four kinds of jax.tree_util keys differ only in the attribute that holds the name.
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def duplicates(paths: Iterable[str]) -> list[str]:
    """The paths that occur more than once, each once, in order of appearance."""
    seen: dict[str, int] = {}
    for path in paths:
        seen[path] = seen.get(path, 0) + 1
    return [path for path, count in seen.items() if count > 1]
