# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks that solve: factors and triangular systems, which the CPU engine has, between products
and functions, which the NPU has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

Inputs = tuple[Any, ...]


class GaussianProcess(nn.Module):
    """Regression on points that it has seen: mean and variance at those asked for."""

    points: int = 48
    length: float = 0.2
    noise: float = 0.1

    def kernel(self, a: jax.Array, b: jax.Array) -> jax.Array:
        squares = (a * a).sum(-1)[:, None] + (b * b).sum(-1) - 2 * a @ b.T
        return jnp.exp(squares / (-2 * self.length**2))

    @nn.compact
    def __call__(self, query: jax.Array) -> tuple[jax.Array, jax.Array]:
        normal = nn.initializers.normal(1.0)
        points = self.param("points", normal, (self.points, query.shape[-1]))
        values = self.param("values", normal, (self.points, 2))
        covariance = self.kernel(points, points) + self.noise * jnp.eye(self.points)
        factor = jnp.linalg.cholesky(covariance)
        across = solve_triangular(factor, self.kernel(points, query), lower=True)
        mean = across.T @ solve_triangular(factor, values, lower=True)
        return mean, 1 - (across * across).sum(0)


class Whitening(nn.Module):
    """Features without mean and correlation, by the factor of their covariance."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.tanh(nn.Dense(20)(x))
        x = x - x.mean(0)
        covariance = x.T @ x / x.shape[0] + 1e-2 * jnp.eye(x.shape[1])
        factor = jnp.linalg.cholesky(covariance)
        return nn.Dense(7)(solve_triangular(factor, x.T, lower=True).T)


class LeastSquares(nn.Module):
    """Features' weights that fit the targets best, by their QR factors."""

    @nn.compact
    def __call__(self, x: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
        features = nn.tanh(nn.Dense(11)(x))
        q, r = jnp.linalg.qr(features)
        weights = solve_triangular(r, q.T @ target)
        return weights, features @ weights - target


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def gaussian_process(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return GaussianProcess(), (_normal(rng, 19, 3) * 0.2,)


def whitening(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Whitening(), (_normal(rng, 90, 16),)


def least_squares(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return LeastSquares(), (_normal(rng, 70, 6), _normal(rng, 70, 3))


SMALL: dict[str, Callable[[np.random.Generator], tuple[Any, Inputs]]] = {
    "gaussian_process": gaussian_process,
    "whitening": whitening,
    "least_squares": least_squares,
}
