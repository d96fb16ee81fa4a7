# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A residual network with BatchNorm on the digits: linen, batch_stats, SGD with momentum."""

from __future__ import annotations

import argparse
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training import train_state
from sklearn.datasets import load_digits


class TrainState(train_state.TrainState):
    batch_stats: dict


class Residual(nn.Module):
    features: int
    strides: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        strides = (self.strides, self.strides)
        y = nn.Conv(self.features, (3, 3), strides, use_bias=False)(x)
        y = nn.relu(norm()(y))
        y = nn.Conv(self.features, (3, 3), use_bias=False)(y)
        y = norm(scale_init=nn.initializers.zeros)(y)
        if x.shape != y.shape:
            x = norm()(nn.Conv(self.features, (1, 1), strides, use_bias=False)(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = nn.Conv(8, (3, 3), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        for features, strides in ((8, 1), (16, 2), (32, 2)):
            x = Residual(features, strides)(x, train)
        return nn.Dense(10)(x.mean(axis=(1, 2)))


@jax.jit
def train_step(state: TrainState, images: jax.Array, labels: jax.Array):
    def loss_of(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        logits, changed = state.apply_fn(variables, images, True, mutable=["batch_stats"])
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, changed["batch_stats"]

    (loss, stats), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    return state.apply_gradients(grads=gradient, batch_stats=stats), loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., None]
    labels = digits.target.astype(np.int32)
    model = ResNet()
    variables = model.init(jax.random.key(options.seed), images[:1], True)
    state = TrainState.create(
        apply_fn=model.apply,
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        tx=optax.sgd(0.05, momentum=0.9, nesterov=True),
    )
    pick = np.random.default_rng(options.seed)
    for i in range(options.steps):
        batch = pick.integers(0, 1400, 32)
        state, loss = train_step(state, images[batch], labels[batch])
        print(f"step {i:4d}  loss {loss:.7f}")
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    logits = jax.jit(partial(model.apply, train=False))(variables, images[1400:])
    assert jnp.isfinite(logits).all()


if __name__ == "__main__":
    main()
