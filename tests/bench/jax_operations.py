# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations at sizes that programs have, on JAX's default device.

    jax_operations.py

answers the first line with {"names": [...]}, then each with {"compile": ..., "seconds": ...} of the
next of these, around and around: how long compile() took, and one run.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

RNG = np.random.default_rng(0)
CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def below(limit: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, limit, shape).astype(np.int32)


def convolution(x: jax.Array, w: jax.Array, **more: Any) -> jax.Array:
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=CHANNELS_LAST, **more)


def pooled(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def layer_norm(x: jax.Array) -> jax.Array:
    return (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)


def collect(x: jax.Array) -> jax.Array:
    return lax.fori_loop(0, 500, lambda i, c: lax.dynamic_update_slice(c, c[:1] + 1, (i, 0)), x)


def recur(x: jax.Array, w: jax.Array) -> jax.Array:
    return lax.scan(lambda h, v: (jnp.tanh(h @ w + v), None), x[0], x)[0]


def halve(x: jax.Array) -> jax.Array:
    return lax.while_loop(lambda c: c[0] < 2000, lambda c: (c[0] + 1, c[1] * 0.999), (0, x))[1]


Case = tuple[Callable[..., Any], tuple[np.ndarray, ...]]
CASES: dict[str, Case] = {
    "product 1024^3": (lambda a: a @ a, (floats(1024, 1024),)),
    "64 products of 128^3": (lambda a: a @ a, (floats(64, 128, 128),)),
    "matrix 4096^2 x vector": (lambda a, b: a @ b, (floats(4096, 4096), floats(4096))),
    "attention 4 x 512 x 8 x 64, causal": (
        lambda q: jax.nn.dot_product_attention(q, q, q, is_causal=True),
        (floats(4, 512, 8, 64),),
    ),
    "convolution 3x3 8 x 56^2 x 64": (convolution, (floats(8, 56, 56, 64), floats(3, 3, 64, 64))),
    "depthwise 3x3 4 x 56^2 x 96": (
        lambda x, w: convolution(x, w, feature_group_count=96),
        (floats(4, 56, 56, 96), floats(3, 3, 1, 96)),
    ),
    "max_pool's gradient 8 x 56^2 x 64": (
        jax.grad(lambda x: pooled(x).sum()),
        (floats(8, 56, 56, 64),),
    ),
    "softmax 64 x 50257": (jax.nn.softmax, (floats(64, 50257),)),
    "layer norm 4096 x 768": (layer_norm, (floats(4096, 768),)),
    "sum of 10^7": (jnp.sum, (floats(10_000_000),)),
    "argmax 64 x 50257": (lambda x: jnp.argmax(x, 1), (floats(64, 50257),)),
    "top_k 50 of 16 x 50257": (lambda x: lax.top_k(x, 50), (floats(16, 50257),)),
    "cumsum 64 x 2048": (lambda x: jnp.cumsum(x, 1), (floats(64, 2048),)),
    "cumsum of 200,000": (jnp.cumsum, (below(9, 200_000),)),
    "sort of 100,000": (jnp.sort, (floats(100_000),)),
    "16,384 rows of 50257 x 256": (lambda t, i: t[i], (floats(50257, 256), below(50257, 16384))),
    "500,000 elements of 100,000": (lambda t, i: t[i], (floats(100_000), below(100_000, 500_000))),
    "segment_sum of 300,000": (
        lambda v, i: jax.ops.segment_sum(v, i, 10_000),
        (floats(300_000), below(10_000, 300_000)),
    ),
    "20,000 rows added to 10,000 x 64": (
        lambda t, i, v: t.at[i].add(v),
        (floats(10_000, 64), below(10_000, 20_000), floats(20_000, 64)),
    ),
    "10^6 normal numbers": (
        lambda k: jax.random.normal(jax.random.wrap_key_data(k), (1_000_000,)),
        (below(9, 2).astype(np.uint32),),
    ),
    "10^6 normal numbers, constant key": (
        lambda x: x + jax.random.normal(jax.random.key(0), (1_000_000,)),
        (floats(1),),
    ),
    "tanh of 10^6": (jnp.tanh, (floats(1_000_000),)),
    "transpose 2048^2": (lambda x: x.T + 1, (floats(2048, 2048),)),
    "fft 128 x 1024": (lambda x: jnp.abs(jnp.fft.fft(x)), (floats(128, 1024),)),
    "cholesky 256": (lambda a: jnp.linalg.cholesky(a @ a.T + 300 * jnp.eye(256)), (floats(256, 256),)),
    "recurrence, 200 steps of 16 x 64": (recur, (floats(200, 16, 64), 0.1 * floats(64, 64))),
    "while_loop of 2000 rounds": (halve, (floats(64),)),
    "500 updates of slices in a loop": (collect, (floats(500, 256),)),
}


def measured(case: Case) -> Callable[[], dict[str, float]]:
    function, args = case
    lowered = jax.jit(lambda *a: function(*a)).lower(*args)
    start = time.perf_counter()
    compiled = lowered.compile()
    took = time.perf_counter() - start
    there = jax.device_put(args)
    jax.block_until_ready(compiled(*there))

    def once() -> dict[str, float]:
        start = time.perf_counter()
        jax.block_until_ready(compiled(*there))
        return {"compile": took, "seconds": time.perf_counter() - start}

    return once


def answers() -> Iterator[dict[str, Any]]:
    yield {"names": list(CASES)}
    ready: dict[str, Callable[[], dict[str, float]]] = {}
    for name in itertools.cycle(CASES):
        if name not in ready:
            try:
                ready[name] = measured(CASES[name])
            except Exception as e:
                raise SystemExit(f"{name}: {e}") from e
        yield ready[name]()


def main() -> None:
    for _, answer in zip(sys.stdin, answers(), strict=False):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
