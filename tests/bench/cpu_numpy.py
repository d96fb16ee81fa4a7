# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What loom_cpu_bench runs, by NumPy, into an array that is there already:
cpu_numpy.py OPERATION. Once for every line of input, a line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

COUNT = 1 << 20


def operations() -> dict[str, Callable[[], Any]]:
    i = np.arange(COUNT, dtype=np.int64)
    a = (i % 4093 / 512 - 4).astype(np.float32)
    b = (i * 7 % 4099 / 512 - 4).astype(np.float32)
    pick = i * 5 % 3 == 0
    out = np.zeros(COUNT, np.float32)
    whole = np.zeros(COUNT, np.int32)
    truth = np.zeros(COUNT, np.bool_)

    def convert() -> None:
        np.copyto(whole, a, casting="unsafe")

    return {
        "add": lambda: np.add(a, b, out=out),
        "multiply": lambda: np.multiply(a, b, out=out),
        "compare": lambda: np.less(a, b, out=truth),
        "select": lambda: np.where(pick, a, b),
        "convert": convert,
        "sum": lambda: np.sum(a),
        "max": lambda: np.max(a),
        "exp": lambda: np.exp(a, out=out),
        "tanh": lambda: np.tanh(a, out=out),
    }


def main() -> None:
    run = operations()[sys.argv[1]]
    for _ in sys.stdin:
        begin = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - begin}), flush=True)


if __name__ == "__main__":
    main()
