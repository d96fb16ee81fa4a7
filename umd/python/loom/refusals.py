# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What JAX can trace and Loom refuses for good: primitive, why, what to do instead."""

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
