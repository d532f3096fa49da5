"""MUNIT's networks in PyTorch, written from the papers: those of the peer in `torch_munit.py`."""

import itertools

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

NORM_EPSILON = 1e-5
STYLE_DOWNSAMPLINGS, DISCRIMINATOR_LAYERS = 4, 4


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    """Reflect padding and a convolution with bias."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, padding_mode="reflect" if padding else "zeros")


def adaptive_instance_norm(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Instance norm with a gain and an offset for every channel of every image: one fused batch norm does it."""
    b, c, h, w = x.shape
    y = F.batch_norm(
        x.reshape(1, b * c, h, w),
        None,
        None,
        scale.reshape(-1),
        shift.reshape(-1),
        training=True,
        eps=NORM_EPSILON,
    )
    return y.view(b, c, h, w)


class LayerNorm(nn.Module):
    """gamma (x - mean) / (std + eps) + beta over all pixels and channels of an image, std unbiased."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Written so that torch passes over the image least often: `torch.std_mean` is several times slower."""
        centred = x - x.mean((1, 2, 3), keepdim=True)
        variance = centred.square().sum((1, 2, 3), keepdim=True) / (x[0].numel() - 1)
        gain = self.gamma[:, None, None] / (variance.sqrt() + NORM_EPSILON)
        return torch.addcmul(self.beta[:, None, None], centred, gain)


class ResidualBlock(nn.Module):
    """Two convolutions with instance norm or AdaIN, added to the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.convolutions = nn.ModuleList(convolution(channels, channels, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor, adain: Tensor | None = None) -> Tensor:
        """`adain[:, i, 0]` are the shifts after convolution i, `adain[:, i, 1]` the scales."""
        y = x
        for i, conv in enumerate(self.convolutions):
            y = conv(y)
            y = F.instance_norm(y) if adain is None else adaptive_instance_norm(y, adain[:, i, 0], adain[:, i, 1])
            if i == 0:
                y = F.relu_(y)
        return y.add_(x)


class ContentEncoder(nn.Module):
    """Image to content code."""

    def __init__(self, channels: int, width: int, downsamplings: int, blocks: int):
        super().__init__()
        self.convolutions = nn.ModuleList([convolution(channels, width, 7, 1, 3)])
        for i in range(downsamplings):
            self.convolutions.append(convolution(width * 2**i, width * 2 ** (i + 1), 4, 2, 1))
        self.residual = nn.ModuleList(ResidualBlock(width * 2**downsamplings) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the content code."""
        for conv in self.convolutions:
            x = F.relu_(F.instance_norm(conv(x)))
        for block in self.residual:
            x = block(x)
        return x


class StyleEncoder(nn.Module):
    """Image to style code, without norms."""

    def __init__(self, channels: int, width: int, style_size: int):
        super().__init__()
        self.convolutions = nn.ModuleList([convolution(channels, width, 7, 1, 3)])
        widths = [width * 2 ** min(i, 2) for i in range(STYLE_DOWNSAMPLINGS + 1)]
        for inputs, outputs in itertools.pairwise(widths):
            self.convolutions.append(convolution(inputs, outputs, 4, 2, 1))
        self.code = convolution(widths[-1], style_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the style code."""
        for conv in self.convolutions:
            x = F.relu_(conv(x))
        return self.code(x.mean((2, 3), keepdim=True)).flatten(1)


class Decoder(nn.Module):
    """Content code and style code to image."""

    def __init__(self, channels: int, width: int, style_size: int, mlp_width: int, upsamplings: int, blocks: int):
        super().__init__()
        features = width * 2**upsamplings
        sizes = (style_size, mlp_width, mlp_width, blocks * 2 * 2 * features)
        self.mlp = nn.ModuleList(nn.Linear(i, o) for i, o in itertools.pairwise(sizes))
        self.residual = nn.ModuleList(ResidualBlock(features) for _ in range(blocks))
        halved = [features // 2**i for i in range(upsamplings + 1)]
        self.up = nn.ModuleList(convolution(i, o, 5, 1, 2) for i, o in itertools.pairwise(halved))
        self.norms = nn.ModuleList(LayerNorm(o) for o in halved[1:])
        self.image = convolution(width, channels, 7, 1, 3)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Return the image in [-1, 1]."""
        adain = self.mlp[2](F.relu_(self.mlp[1](F.relu_(self.mlp[0](style)))))
        adain = adain.view(len(style), len(self.residual), 2, 2, -1)
        x = content
        for i, block in enumerate(self.residual):
            x = block(x, adain[:, i])
        for conv, norm in zip(self.up, self.norms, strict=True):
            x = F.relu_(norm(conv(F.interpolate(x, scale_factor=2, mode="nearest"))))
        return torch.tanh_(self.image(x))


class Generator(nn.Module):
    """The autoencoder of a domain."""

    def __init__(self, channels: int, width: int, style_size: int, mlp_width: int, downsamplings: int, blocks: int):
        super().__init__()
        self.content = ContentEncoder(channels, width, downsamplings, blocks)
        self.style = StyleEncoder(channels, width, style_size)
        self.decoder = Decoder(channels, width, style_size, mlp_width, downsamplings, blocks)


class Discriminator(nn.Module):
    """Patch discriminators on the image at full, half, quarter ... resolution; returns their logits."""

    def __init__(self, channels: int, width: int, scales: int):
        super().__init__()
        widths = [channels, *(width * 2**i for i in range(DISCRIMINATOR_LAYERS))]
        self.scales = nn.ModuleList(
            nn.ModuleList(
                [convolution(i, o, 4, 2, 1) for i, o in itertools.pairwise(widths)] + [convolution(widths[-1], 1, 1)]
            )
            for _ in range(scales)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the logits, one map a scale."""
        logits = []
        for i, (*convolutions, last) in enumerate(self.scales):
            if i > 0:
                image = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
            x = image
            for conv in convolutions:
                x = F.leaky_relu_(conv(x), 0.2)
            logits.append(last(x))
        return logits
