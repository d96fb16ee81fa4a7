# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The f32 matrix product of ./dev bench, without Loom.

    matmul.py export N OUT      a bundle of a @ b, both inputs, for loomc
    matmul.py numpy|jax N       reads a line, multiplies once, prints seconds

The caller pins the process to one CPU before NumPy and XLA count them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def export(n: int, out: Path) -> None:
    import jax
    import jax.numpy as jnp
    import loom

    shape = jax.ShapeDtypeStruct((n, n), jnp.float32)
    loom.export(lambda a, b: a @ b, (shape, shape), path=out)


def operands(n: int) -> list:
    import numpy as np
    rng = np.random.default_rng(1)
    return [rng.uniform(-1, 1, (n, n)).astype(np.float32) for _ in range(2)]


def with_numpy(n: int) -> Callable[[], None]:
    import numpy as np
    a, b = operands(n)
    out = np.empty((n, n), np.float32)

    def once() -> None:
        np.matmul(a, b, out=out)
    return once


def with_jax(n: int) -> Callable[[], None]:
    import jax
    a, b = (jax.device_put(x) for x in operands(n))
    product = jax.jit(lambda a, b: a @ b)

    def once() -> None:
        product(a, b).block_until_ready()
    return once


def serve(once: Callable[[], None]) -> None:
    once()
    for _ in sys.stdin:
        start = time.perf_counter()
        once()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


def main(argv: list[str]) -> int:
    if len(argv) == 4 and argv[1] == "export":
        export(int(argv[2]), Path(argv[3]))
    elif len(argv) == 3 and argv[1] in ("numpy", "jax"):
        serve({"numpy": with_numpy, "jax": with_jax}[argv[1]](int(argv[2])))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
