# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train a variational autoencoder on scikit-learn's digits and draw new ones.

    python examples/vae.py [--steps N] [--seed N] [--out FILE.npy]

Eight latent numbers a digit, two dense layers on either side, the noise drawn on the device by
jax.random. Ends with digits that were never written, as text; --out stores them as an array
[8, 8, 8] of pixels in 0..1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

LATENT, HIDDEN, BATCH, DRAWN = 8, 128, 64, 8
SHADES = " .:-=+*#%@"


class Encoder(nn.Module):
    """Pixels [n, 64] -> mean and logarithm of the variance, both [n, LATENT]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = nn.relu(nn.Dense(HIDDEN)(x))
        return nn.Dense(LATENT, name="mean")(x), nn.Dense(LATENT, name="variance")(x)


class Decoder(nn.Module):
    """Latent numbers [n, LATENT] -> logits of the pixels, [n, 64]."""

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        return nn.Dense(64)(nn.relu(nn.Dense(HIDDEN)(z)))


class VAE(nn.Module):
    def setup(self) -> None:
        self.encoder, self.decoder = Encoder(), Decoder()

    def __call__(self, x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        mean, log_variance = self.encoder(x)
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
        return self.decoder(z), mean, log_variance

    def draw(self, z: jax.Array) -> jax.Array:
        return nn.sigmoid(self.decoder(z))


def loss_of(
    x: jax.Array, logits: jax.Array, mean: jax.Array, log_variance: jax.Array
) -> jax.Array:
    """The negative evidence lower bound, a digit."""
    pixels = optax.sigmoid_binary_cross_entropy(logits, x).sum(-1)
    prior = -0.5 * (1 + log_variance - mean**2 - jnp.exp(log_variance)).sum(-1)
    return (pixels + prior).mean()


def picture(digits: np.ndarray) -> str:
    """The digits [n, 8, 8] side by side."""
    rows = np.concatenate(list(digits), axis=1)
    level = np.clip((rows * len(SHADES)).astype(int), 0, len(SHADES) - 1)
    return "\n".join("".join(SHADES[v] * 2 for v in row) for row in level)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0, help="of weights, noise and batches")
    parser.add_argument("--out", type=Path, help="store the digits drawn")
    options = parser.parse_args()
    images = (load_digits().images / 16.0).astype(np.float32).reshape(-1, 64)
    model = VAE()
    key, first = jax.random.split(jax.random.key(options.seed))
    params = model.init(first, images[:1], first)
    optimiser = optax.adam(2e-3)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, key, x):
        key, noise = jax.random.split(key)
        loss, gradient = jax.value_and_grad(
            lambda p: loss_of(x, *model.apply(p, x, noise))
        )(params)
        update, state = optimiser.update(gradient, state)
        return optax.apply_updates(params, update), state, key, loss

    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        x = images[pick.integers(0, len(images), BATCH)]
        params, state, key, loss = step(params, state, key, x)
        print(f"step {i:4d}  loss {loss:.7f}")

    z = jax.random.normal(jax.random.key(options.seed + 1), (DRAWN, LATENT))
    drawn = np.asarray(jax.jit(lambda p, z: model.apply(p, z, method=VAE.draw))(params, z))
    drawn = drawn.reshape(DRAWN, 8, 8)
    print(picture(drawn))
    if options.out:
        np.save(options.out, drawn)


if __name__ == "__main__":
    main()
