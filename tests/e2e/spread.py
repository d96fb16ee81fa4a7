# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What JAX's own losses are worth: how far they move when the initial parameters do by a rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

NUDGE = 2e-7  # change of the initial parameters, relative
SPREAD = 3.0
# A loss that no nudge moves by more than its own rounding.
FLOOR = 1e-6


def nudged(tree: Any, seed: int) -> Any:
    """Each floating-point number a little more or less, by a coin."""
    rng = np.random.default_rng(seed)

    def move(value: Any) -> Any:
        if not np.issubdtype(value.dtype, np.floating):
            return value
        coin = rng.choice([-1, 1], value.shape).astype(np.float32)
        return value * (1 + np.float32(NUDGE) * coin)

    return jax.tree.map(move, tree)


def limits(want: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """How far a loss may be from `want`, step by step, given the nudged runs' losses."""
    moved = np.max([np.abs(other - want) for other in others], axis=0)
    # What a step may have moved, a later one may show.
    return SPREAD * np.maximum(np.maximum.accumulate(moved), FLOOR * np.abs(want))
