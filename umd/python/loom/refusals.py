# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What JAX can trace and Loom refuses for good: primitive, why, what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_PYTHON = (
    "calls Python while the program runs, and programs run in the kernel",
    "return the value, and use it after the call",
)
_SPECTRUM = "has no form that ends after a fixed number of steps"
_OUTSIDE = "decompose it outside the exported function and pass the factors"

# By the name that a jaxpr prints.
REFUSALS: dict[str, tuple[str, str]] = {
    "eigh": (_SPECTRUM, f"{_OUTSIDE}; to whiten, use jnp.linalg.cholesky"),
    "svd": (_SPECTRUM, f"{_OUTSIDE}; for least squares, use jnp.linalg.qr"),
    "eig": (_SPECTRUM, _OUTSIDE),
    "schur": (_SPECTRUM, _OUTSIDE),
    "hessenberg": ("has a form on JAX's own platforms alone", _OUTSIDE),
    "tridiagonal": ("has a form on JAX's own platforms alone", _OUTSIDE),
    "pure_callback": _PYTHON,
    "io_callback": _PYTHON,
    "debug_callback": _PYTHON,
    "debug_print": _PYTHON,
}

# What to do instead where JAX itself runs the program on the NPU.
ON_CPU = "run this part on the CPU: with jax.default_device(jax.devices('cpu')[0]): ..."


def register(platform: str) -> None:
    """Have JAX refuse these primitives for `platform` with the reason, the user's line, the remedy."""
    from jax._src import callback, debugging
    from jax._src.interpreters import mlir
    from jax._src.lax import linalg

    for name in REFUSALS:
        for module in (linalg, callback, debugging):
            primitive = getattr(module, f"{name}_p", None)
            if primitive is not None:
                mlir.register_lowering(primitive, _rule(name), platform=platform)


def _rule(name: str) -> Callable[..., Any]:
    def refuse(ctx: Any, *_: Any, **__: Any) -> Any:
        from jax._src import source_info_util

        frame = source_info_util.user_frame(ctx.traceback)
        at = f"{frame.file_name}:{frame.start_line}: " if frame else ""
        why, _instead = REFUSALS[name]
        raise NotImplementedError(f"{at}'{name}' {why}; {ON_CPU}")

    return refuse
