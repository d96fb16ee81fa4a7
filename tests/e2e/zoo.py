# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The families of networks that people bring, written in Flax as they are written, at any size.

Each function at the end of this file gives (module, inputs) at a size that a check can afford; the
defaults of the classes are the real sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

Inputs = tuple[Any, ...]


# --- vision ---------------------------------------------------------------------------------------
class Bottleneck(nn.Module):
    width: int
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        conv = partial(nn.Conv, use_bias=False, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=True, dtype=self.dtype)
        y = nn.relu(norm()(conv(self.width, (1, 1))(x)))
        y = nn.relu(norm()(conv(self.width, (3, 3), self.stride)(y)))
        y = norm()(conv(4 * self.width, (1, 1))(y))
        if x.shape != y.shape:
            x = norm()(conv(4 * self.width, (1, 1), self.stride)(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    """ResNet v1; the defaults are ResNet-50."""

    stages: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    classes: int = 1000
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pad = [(3, 3), (3, 3)]
        x = nn.Conv(self.width, (7, 7), (2, 2), padding=pad, use_bias=False, dtype=self.dtype)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True, dtype=self.dtype)(x))
        x = nn.max_pool(x, (3, 3), (2, 2), padding="SAME")
        for i, blocks in enumerate(self.stages):
            for j in range(blocks):
                x = Bottleneck(self.width << i, 2 if i and not j else 1, self.dtype)(x)
        return nn.Dense(self.classes, dtype=self.dtype)(x.mean((1, 2)))


class MobileNet(nn.Module):
    """MobileNetV2: (expansion, channels, blocks, stride) a stage."""

    stages: tuple[tuple[int, int, int, int], ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    stem: int = 32
    head: int = 1280
    classes: int = 1000
    train: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        # Shifts of zero would make each mean behind a linear layer rounding alone.
        norm = partial(
            nn.BatchNorm,
            use_running_average=not self.train,
            momentum=0.9,
            bias_init=nn.initializers.normal(0.1),
        )

        def conv(y: jax.Array, channels: int, size: int, **kwargs: Any) -> jax.Array:
            return norm()(nn.Conv(channels, (size, size), use_bias=False, **kwargs)(y))

        x = nn.relu6(conv(x, self.stem, 3, strides=2))
        for expansion, channels, blocks, stride in self.stages:
            for block in range(blocks):
                wide = x.shape[-1] * expansion
                y = nn.relu6(conv(x, wide, 1)) if expansion > 1 else x
                step = stride if block == 0 else 1
                y = nn.relu6(conv(y, wide, 3, strides=step, feature_group_count=wide))
                y = conv(y, channels, 1)
                x = x + y if y.shape == x.shape else y
        return nn.Dense(self.classes)(nn.relu6(conv(x, self.head, 1)).mean((1, 2)))


class UNet(nn.Module):
    """Down, up by transposed convolutions, with skips."""

    widths: tuple[int, ...] = (64, 128, 256, 512)
    convs: int = 2  # a level

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def block(y: jax.Array, width: int) -> jax.Array:
            for _ in range(self.convs):
                y = nn.silu(nn.GroupNorm(num_groups=8)(nn.Conv(width, (3, 3))(y)))
            return y

        skips = []
        for width in self.widths:
            x = block(x, width)
            skips.append(x)
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = block(x, 2 * self.widths[-1])
        for width, skip in zip(self.widths[::-1], skips[::-1], strict=True):
            up = nn.ConvTranspose(width, (2, 2), (2, 2))(x)
            x = block(jnp.concatenate([up, skip], -1), width)
        return nn.Conv(1, (1, 1))(x)


# --- attention ------------------------------------------------------------------------------------
class Block(nn.Module):
    """A transformer's layer: norms first (ViT, GPT) or last (BERT)."""

    heads: int
    first: bool = True
    exact: bool = True
    bias: bool = True  # of the attention's projections
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        dense, norm = partial(nn.Dense, dtype=self.dtype), partial(nn.LayerNorm, dtype=self.dtype)
        attention = nn.MultiHeadDotProductAttention(
            self.heads, deterministic=True, use_bias=self.bias, dtype=self.dtype
        )

        def mlp(y: jax.Array) -> jax.Array:
            y = nn.gelu(dense(4 * x.shape[-1])(y), approximate=not self.exact)
            return dense(x.shape[-1])(y)

        if self.first:
            x = x + attention(norm()(x), mask=mask)
            return x + mlp(norm()(x))
        x = norm()(x + attention(x, mask=mask))
        return norm()(x + mlp(x))


class ViT(nn.Module):
    width: int = 768
    layers: int = 12
    heads: int = 12
    patch: int = 16
    classes: int = 1000
    bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(self.width, (self.patch,) * 2, self.patch, padding="VALID")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        token = self.param("token", nn.initializers.normal(0.02), (1, 1, self.width))
        x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, self.width)), x], 1)
        x = x + self.param("places", nn.initializers.normal(0.02), (1, x.shape[1], self.width))
        for _ in range(self.layers):
            x = Block(self.heads, bias=self.bias)(x)
        return nn.Dense(self.classes)(nn.LayerNorm()(x)[:, 0])


class Bert(nn.Module):
    vocabulary: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12
    context: int = 512
    bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, ids: jax.Array, types: jax.Array, mask: jax.Array) -> Any:
        embed = partial(nn.Embed, features=self.width, dtype=self.dtype)
        places = embed(self.context)(jnp.arange(ids.shape[1])[None])
        x = embed(self.vocabulary)(ids) + embed(2)(types)
        x = nn.LayerNorm(dtype=self.dtype)(x + places)
        for _ in range(self.layers):
            block = Block(self.heads, first=False, bias=self.bias, dtype=self.dtype)
            x = block(x, nn.make_attention_mask(mask, mask))
        return x, jnp.tanh(nn.Dense(self.width, dtype=self.dtype)(x[:, 0]))


class GPT(nn.Module):
    """Prefill: all logits of a prompt."""

    vocabulary: int = 50257
    width: int = 768
    layers: int = 12
    heads: int = 12
    context: int = 1024

    @nn.compact
    def __call__(self, ids: jax.Array) -> jax.Array:
        embed = nn.Embed(self.vocabulary, self.width)
        x = embed(ids) + nn.Embed(self.context, self.width)(jnp.arange(ids.shape[1])[None])
        for _ in range(self.layers):
            x = Block(self.heads, exact=False)(x, nn.make_causal_mask(ids))
        return embed.attend(nn.LayerNorm()(x))


class NnxBlock(nnx.Module):
    def __init__(self, width: int, heads: int, dtype: Any, bias: bool, rngs: nnx.Rngs):
        linear = partial(nnx.Linear, dtype=dtype, rngs=rngs)
        self.norm1 = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            heads, width, decode=False, use_bias=bias, dtype=dtype, rngs=rngs
        )
        self.up = linear(width, 4 * width)
        self.down = linear(4 * width, width)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm1(x))
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


class NnxTransformer(nnx.Module):
    def __init__(
        self,
        vocabulary: int,
        width: int,
        heads: int,
        layers: int,
        dtype: Any,
        rngs: nnx.Rngs,
        bias: bool = True,
    ):
        self.embed = nnx.Embed(vocabulary, width, dtype=dtype, rngs=rngs)
        blocks = [NnxBlock(width, heads, dtype, bias, rngs) for _ in range(layers)]
        self.blocks = nnx.List(blocks)
        self.out = nnx.Linear(width, vocabulary, dtype=dtype, rngs=rngs)

    def __call__(self, ids: jax.Array) -> jax.Array:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.out(x)


# --- recurrent, generative, of graphs -------------------------------------------------------------
class LSTM(nn.Module):
    """Characters to the next one's logits."""

    vocabulary: int = 100
    width: int = 512
    dtype: Any = jnp.float32  # of the carry, too

    @nn.compact
    def __call__(self, ids: jax.Array) -> jax.Array:
        x = nn.Embed(self.vocabulary, self.width, dtype=self.dtype)(ids)
        cell = nn.LSTMCell(self.width, dtype=self.dtype, param_dtype=self.dtype)
        return nn.Dense(self.vocabulary, dtype=self.dtype)(nn.RNN(cell)(x))


class Seq2Seq(nn.Module):
    """One sentence read, the next one's logits: the carry of one LSTM begins the other."""

    vocabulary: int = 100
    width: int = 64
    dtype: Any = jnp.float32  # of the carries, too

    @nn.compact
    def __call__(self, source: jax.Array, target: jax.Array) -> jax.Array:
        embed = nn.Embed(self.vocabulary, self.width, dtype=self.dtype)
        cell = partial(nn.LSTMCell, self.width, dtype=self.dtype, param_dtype=self.dtype)
        carry, _ = nn.RNN(cell(), return_carry=True)(embed(source))
        y = nn.RNN(cell())(embed(target), initial_carry=carry)
        return nn.Dense(self.vocabulary, dtype=self.dtype)(y)


class VAE(nn.Module):
    """Logits of the pixels, mean and logarithm of the variance; `key`: the noise's, as raw data."""

    latent: int = 20
    width: int = 400

    @nn.compact
    def __call__(self, x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        h = nn.relu(nn.Dense(self.width)(x))
        mean, logvar = nn.Dense(self.latent)(h), nn.Dense(self.latent)(h)
        noise = jax.random.normal(jax.random.wrap_key_data(key), mean.shape)
        z = mean + jnp.exp(0.5 * logvar) * noise.astype(mean.dtype)
        return nn.Dense(x.shape[-1])(nn.relu(nn.Dense(self.width)(z))), mean, logvar


class GNN(nn.Module):
    """Messages along edges, summed by their receiver."""

    hidden: int = 64
    rounds: int = 3
    classes: int = 3

    @nn.compact
    def __call__(self, nodes: jax.Array, src: jax.Array, dst: jax.Array) -> jax.Array:
        h = nn.Dense(self.hidden)(nodes)
        for _ in range(self.rounds):
            pair = jnp.concatenate([h[src], h[dst]], -1)
            message = nn.relu(nn.Dense(self.hidden)(pair))
            total = jax.ops.segment_sum(message, dst, nodes.shape[0])
            h = nn.LayerNorm()(h + nn.Dense(self.hidden)(total))
        return nn.Dense(self.classes)(h)


class Decoder(nn.Module):
    """A VAE's decoder: latents to images, by transposed convolutions."""

    width: int = 64
    side: int = 7

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        x = nn.relu(nn.Dense(self.side * self.side * self.width)(z))
        x = x.reshape(z.shape[0], self.side, self.side, self.width)
        x = nn.relu(nn.ConvTranspose(self.width // 2, (3, 3), (2, 2))(x))
        return nn.sigmoid(nn.ConvTranspose(1, (3, 3), (2, 2))(x))


# --- sizes for checks -----------------------------------------------------------------------------
def _image(rng: np.random.Generator, batch: int, side: int) -> np.ndarray:
    return rng.standard_normal((batch, side, side, 3), np.float32)


def _ids(rng: np.random.Generator, batch: int, length: int, vocabulary: int) -> np.ndarray:
    return rng.integers(0, vocabulary, (batch, length), np.int32)


def _key(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 1 << 32, 2, np.uint32)


def resnet(rng: np.random.Generator, dtype: Any = jnp.float32) -> tuple[Any, Inputs]:
    module = ResNet((1, 1, 1, 1), 16, 10, dtype)
    return module, (jnp.asarray(_image(rng, 1, 32)).astype(dtype),)


def mobilenet(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return MobileNet(((1, 8, 1, 1), (4, 16, 2, 2)), 8, 32, 10), (_image(rng, 1, 16),)


def unet(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return UNet((8, 16), 1), (_image(rng, 1, 16),)


def vit(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return ViT(32, 2, 2, 8, 10), (_image(rng, 1, 32),)


def bert(rng: np.random.Generator) -> tuple[Any, Inputs]:
    types, mask = np.zeros((1, 12), np.int32), np.ones((1, 12), np.float32)
    types[:, 7:] = 1
    mask[:, 10:] = 0
    return Bert(60, 32, 2, 2, 16), (_ids(rng, 1, 12, 60), types, mask)


def gpt(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return GPT(60, 32, 2, 2, 16), (_ids(rng, 1, 12, 60),)


def nnx_transformer(rng: np.random.Generator, dtype: Any = jnp.float32) -> tuple[Any, Inputs]:
    module = NnxTransformer(60, 32, 2, 1, dtype, nnx.Rngs(int(rng.integers(1 << 30))))
    return module, (_ids(rng, 1, 12, 60),)


def lstm(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return LSTM(40, 24), (_ids(rng, 2, 6, 40),)


def vae_decoder(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Decoder(16, 4), (rng.standard_normal((2, 8), np.float32),)


def seq2seq(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Seq2Seq(40, 24), (_ids(rng, 2, 6, 40), _ids(rng, 2, 5, 40))


def vae(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return VAE(6, 48), (rng.random((4, 64), np.float32), _key(rng))


def gnn(rng: np.random.Generator) -> tuple[Any, Inputs]:
    nodes = rng.standard_normal((12, 5), np.float32)
    return GNN(16, 2), (nodes, _ids(rng, 1, 30, 12)[0], _ids(rng, 1, 30, 12)[0])


SMALL: dict[str, Callable[[np.random.Generator], tuple[Any, Inputs]]] = {
    "resnet": resnet,
    "resnet_bf16": partial(resnet, dtype=jnp.bfloat16),
    "mobilenet": mobilenet,
    "unet": unet,
    "vit": vit,
    "bert": bert,
    "gpt": gpt,
    "nnx_transformer": nnx_transformer,
    "lstm": lstm,
    "seq2seq": seq2seq,
    "vae": vae,
    "vae_decoder": vae_decoder,
    "gnn": gnn,
}


# --- real sizes -----------------------------------------------------------------------------------
def resnet50(rng: np.random.Generator, dtype: Any = jnp.float32) -> tuple[Any, Inputs]:
    return ResNet(dtype=dtype), (_image(rng, 1, 224),)


def mobilenet_v2(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return MobileNet(), (_image(rng, 1, 224),)


def real_unet(rng: np.random.Generator, side: int) -> tuple[Any, Inputs]:
    return UNet(), (_image(rng, 1, side),)


def vit_b16(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return ViT(), (_image(rng, 1, 224),)


def bert_base(rng: np.random.Generator) -> tuple[Any, Inputs]:
    types, mask = np.zeros((1, 128), np.int32), np.ones((1, 128), np.float32)
    types[:, 70:] = 1
    mask[:, 110:] = 0
    return Bert(), (_ids(rng, 1, 128, 30522), types, mask)


def gpt2_small(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return GPT(), (_ids(rng, 1, 128, 50257),)


def nnx_base(rng: np.random.Generator, dtype: Any = jnp.float32) -> tuple[Any, Inputs]:
    module = NnxTransformer(32000, 512, 8, 6, dtype, nnx.Rngs(int(rng.integers(1 << 30))))
    return module, (_ids(rng, 1, 128, 32000),)


def char_lstm(rng: np.random.Generator, width: int) -> tuple[Any, Inputs]:
    return LSTM(width=width), (_ids(rng, 1, 32, 100),)


def vae_mnist(rng: np.random.Generator) -> tuple[Any, Inputs]:
    return Decoder(), (rng.standard_normal((16, 20), np.float32),)


@dataclass(frozen=True)
class Real:
    """A network at its real size; refused: targets that are too small for it, with its type."""

    title: str
    make: Callable[..., tuple[Any, Inputs]]
    refused: tuple[tuple[str, str], ...] = ()


NPU8 = (("npu8", "f32"), ("npu8", "bf16"))
REAL: dict[str, Real] = {
    "resnet50": Real("ResNet-50, 224 x 224", resnet50),
    "mobilenet_v2": Real("MobileNetV2, 224 x 224", mobilenet_v2),
    "unet_64": Real("U-Net, 64 to 1024 wide, 64 x 64", partial(real_unet, side=64)),
    "unet_256": Real("U-Net, 64 to 1024 wide, 256 x 256", partial(real_unet, side=256), NPU8),
    "vit_b16": Real("ViT-B/16, 224 x 224", vit_b16, NPU8),
    "bert_base": Real("BERT-base, 128 tokens", bert_base, NPU8[:1]),
    "gpt2_small": Real("GPT-2 small, prefill of 128", gpt2_small, NPU8),
    "nnx_base": Real("nnx transformer, 6 layers, 512 wide, 128 tokens", nnx_base, NPU8[:1]),
    "lstm_256": Real("LSTM 256 wide, 32 steps", partial(char_lstm, width=256)),
    "lstm_512": Real("LSTM 512 wide, 32 steps", partial(char_lstm, width=512)),
    "vae_mnist": Real("VAE decoder, 28 x 28, batch 16", vae_mnist),
}
