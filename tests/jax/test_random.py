# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""jax.random: what is drawn as integers or compared with a number is the CPU's to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

random = jax.random
SHAPE = (40, 9)

EXACT: dict[str, Callable[[jax.Array], Any]] = {
    "bits": lambda key: random.bits(key, SHAPE),
    "bits8": lambda key: random.bits(key, SHAPE, "uint8"),
    "uniform": lambda key: random.uniform(key, SHAPE),
    "randint": lambda key: random.randint(key, SHAPE, -5, 100),
    "bernoulli": lambda key: random.bernoulli(key, 0.3, SHAPE),
    "permutation": lambda key: random.permutation(key, 100),
    "split": lambda key: random.split(key, 5),
    "fold_in": lambda key: random.fold_in(key, 9),
    "choice": lambda key: random.choice(key, 50, (20,), replace=False),
    "categorical": lambda key: random.categorical(key, np.log([0.1, 0.2, 0.7]), shape=SHAPE),
}
CLOSE: dict[str, Callable[[jax.Array], Any]] = {
    "normal": lambda key: random.normal(key, SHAPE),
    "truncated_normal": lambda key: random.truncated_normal(key, -2, 2, SHAPE),
    "exponential": lambda key: random.exponential(key, SHAPE),
    "gumbel": lambda key: random.gumbel(key, SHAPE),
    "laplace": lambda key: random.laplace(key, SHAPE),
    "logistic": lambda key: random.logistic(key, SHAPE),
    "cauchy": lambda key: random.cauchy(key, SHAPE),
    "gamma": lambda key: random.gamma(key, 2.5, (50,)),
    "beta": lambda key: random.beta(key, 2.0, 3.0, (50,)),
    "dirichlet": lambda key: random.dirichlet(key, np.ones(4, np.float32), (10,)),
    "t": lambda key: random.t(key, 4.0, (50,)),
    "ball": lambda key: random.ball(key, 3, shape=(20,)),
    "multivariate_normal": lambda key: random.multivariate_normal(
        key, np.zeros(3, np.float32), np.eye(3, dtype=np.float32) + 0.5
    ),
}
COUNTED: dict[str, Callable[[jax.Array], Any]] = {
    "poisson": lambda key: random.poisson(key, 4.0, (50,)),
    "geometric": lambda key: random.geometric(key, 0.3, (50,)),
}


@pytest.mark.parametrize("name", [*EXACT, *COUNTED])
def test_equal_bits(same: Callable[..., Any], name: str) -> None:
    draw = (EXACT | COUNTED)[name]
    # A distance of 0 for floats, too.
    same(draw, random.key(3), error=0)
    same(draw, random.PRNGKey(4), error=0)


@pytest.mark.parametrize("name", CLOSE)
def test_close(same: Callable[..., Any], name: str) -> None:
    same(CLOSE[name], random.key(3))


def test_eager_is_jitted() -> None:
    key = random.key(5)
    np.testing.assert_array_equal(
        random.uniform(key, SHAPE), jax.jit(lambda k: random.uniform(k, SHAPE))(key)
    )


def test_rbg_keys(same: Callable[..., Any]) -> None:
    """XLA's own generator, as the platform gives it: right in range and reproducible."""
    key = random.key(0, impl="rbg")
    draw = jax.jit(lambda k: random.uniform(k, (1000,)))
    first = np.asarray(draw(key))
    np.testing.assert_array_equal(first, draw(key))
    assert 0.45 < first.mean() < 0.55
