# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A convolutional VAE on the digits: transposed convolutions, GroupNorm, random numbers inside."""

from __future__ import annotations

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

LATENT, BATCH = 6, 32


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = nn.elu(nn.Conv(8, (3, 3), strides=(2, 2))(x))
        x = nn.elu(nn.GroupNorm(4)(nn.Conv(16, (3, 3), strides=(2, 2))(x)))
        x = x.reshape(x.shape[0], -1)
        both = nn.Dense(2 * LATENT)(x)
        return both[:, :LATENT], nn.softplus(both[:, LATENT:]) + 1e-3


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        x = nn.elu(nn.Dense(2 * 2 * 16)(z)).reshape(-1, 2, 2, 16)
        x = nn.elu(nn.ConvTranspose(16, (3, 3), strides=(2, 2))(x))
        x = nn.elu(nn.ConvTranspose(8, (3, 3), strides=(2, 2))(x))
        return nn.Conv(1, (3, 3))(x)


class VAE(nn.Module):
    def setup(self) -> None:
        self.encoder, self.decoder = Encoder(), Decoder()

    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, scale = self.encoder(x)
        z = mean + scale * jax.random.normal(self.make_rng("noise"), mean.shape)
        prior = 0.5 * (mean**2 + scale**2 - 1) - jnp.log(scale)
        return self.decoder(z), prior.sum(-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images = (load_digits().images / 16.0).astype(np.float32)[..., None]
    model = VAE()
    root = jax.random.key(options.seed)
    params = model.init({"params": root, "noise": root}, images[:1])
    optimiser = optax.adamax(5e-3)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, x, i):
        def loss_of(params):
            logits, prior = model.apply(params, x, rngs={"noise": jax.random.fold_in(root, i)})
            pixels = optax.sigmoid_binary_cross_entropy(logits, x).sum(axis=(1, 2, 3))
            return (pixels + prior).mean()

        loss, gradient = jax.value_and_grad(loss_of)(params)
        update, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, update), state, loss

    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        x = images[pick.integers(0, len(images), BATCH)]
        params, state, loss = step(params, state, x, i)
        print(f"step {i:4d}  loss {loss:.7f}")


if __name__ == "__main__":
    main()
