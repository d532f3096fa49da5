"""MUNIT in PyTorch, eager, written from the papers: the peer that `train_step.py` measures beside ours.

    python benchmarks/torch_munit.py --parity=FILE
    python benchmarks/torch_munit.py --serve [--size=128] [--width=64] [--batch=1] [--threads=N]

Needs torch and numpy only, so that it runs in an environment without JAX. The first form computes in float64 all
outputs, losses and gradients of a parity file and compares; exit status 1 if they differ. The second reads commands as
JSON, one a line, and answers each with a line: see `serve_commands`.

The step is the reference's: discriminators first, on translations with styles of their own, then the generators with
new styles through the new discriminators. What costs time without changing the result is left out: the translations
for the discriminators are made without a graph, and the generators' update takes no gradient of discriminator weights.
"""

import argparse
import functools
import itertools
import os
import sys
import time

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from children import cost, serve
from torch import Tensor, nn

DOMAINS = ("euv", "magnetogram")
OTHER = {"euv": "magnetogram", "magnetogram": "euv"}
NORM_EPSILON = 1e-5
STYLE_DOWNSAMPLINGS, DISCRIMINATOR_LAYERS = 4, 4
WEIGHTS = {"adversarial": 1.0, "image": 10.0, "content": 1.0, "style": 1.0, "cycle": 0.0}


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


Images = dict[str, Tensor]  # by domain


def translate_both(generators: nn.ModuleDict, images: Images, styles: Images) -> Images:
    """Return by domain x the images made of the other domain's content and a given style of x."""
    return {x: generators[x].decoder(generators[OTHER[x]].content(images[OTHER[x]]), styles[x]) for x in DOMAINS}


def discriminator_loss(discriminators: nn.ModuleDict, images: Images, translation: Images) -> Tensor:
    """LSGAN: the sum over domains and scales of E (G(x) - 1)^2 + E G(fake)^2."""
    loss = torch.zeros((), dtype=images["euv"].dtype)
    for x in DOMAINS:
        for real, fake in zip(discriminators[x](images[x]), discriminators[x](translation[x]), strict=True):
            loss = loss + (real - 1).square().mean() + fake.square().mean()
    return loss


def generator_terms(
    generators: nn.ModuleDict, discriminators: nn.ModuleDict, images: Images, styles: Images, cycle: bool
) -> tuple[dict[str, Tensor], Images]:
    """Return the terms of the generators' loss, unweighted, and what they were made of, all by name."""
    content = {x: generators[x].content(images[x]) for x in DOMAINS}
    style = {x: generators[x].style(images[x]) for x in DOMAINS}
    terms, made = {}, {}
    for x in DOMAINS:
        y = OTHER[x]
        reconstruction = generators[x].decoder(content[x], style[x])
        translation = generators[x].decoder(content[y], styles[x])
        recovered = generators[x].content(translation)
        terms[f"image_{x}"] = F.l1_loss(reconstruction, images[x])
        terms[f"content_{y}"] = (recovered - content[y]).abs().mean()
        terms[f"style_{x}"] = F.l1_loss(generators[x].style(translation), styles[x])
        if cycle:
            terms[f"cycle_{y}"] = F.l1_loss(generators[y].decoder(recovered, style[y]), images[y])
        terms[f"adversarial_{x}"] = sum((fake - 1).square().mean() for fake in discriminators[x](translation))
        made |= {f"content_{x}": content[x], f"style_{x}": style[x], f"reconstruction_{x}": reconstruction}
        made[f"{y}_to_{x}"] = translation
    return terms, made


def weighted_total(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Return the sum of the terms; a weight holds for both domains."""
    return sum(weights[name.rsplit("_", 1)[0]] * value for name, value in terms.items())


class Training:
    """The networks with their optimisers; a call is one step."""

    def __init__(self, generators: nn.ModuleDict, discriminators: nn.ModuleDict, style_size: int):
        self.generators, self.discriminators, self.style_size = generators, discriminators, style_size
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(networks.parameters(), 1e-4, (0.5, 0.999), weight_decay=1e-4, fused=True)
            for networks in (generators, discriminators)
        )

    def draw_styles(self, batch: int) -> Images:
        """Draw a style of each domain for each example."""
        return {x: torch.randn(batch, self.style_size) for x in DOMAINS}

    def __call__(self, images: Images) -> None:
        """Update the discriminators, then the generators."""
        batch = len(images["euv"])
        with torch.no_grad():
            translation = translate_both(self.generators, images, self.draw_styles(batch))
        self.discriminators.requires_grad_(True)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        discriminator_loss(self.discriminators, images, translation).backward()
        self.discriminator_optimizer.step()

        self.discriminators.requires_grad_(False)
        self.generator_optimizer.zero_grad(set_to_none=True)
        styles = self.draw_styles(batch)
        terms, _ = generator_terms(self.generators, self.discriminators, images, styles, bool(WEIGHTS["cycle"]))
        weighted_total(terms, WEIGHTS).backward()
        self.generator_optimizer.step()


def translate_often(generators: nn.ModuleDict, image: Tensor, styles: Tensor) -> Tensor:
    """Translate one EUV image with many styles; a style at a time was as fast as a batch, with less memory."""
    with torch.inference_mode():
        content = generators["euv"].content(image)
        return torch.cat([generators["magnetogram"].decoder(content, style[None]) for style in styles])


def matmul_peak(side: int = 2048, repeats: int = 20) -> float:
    """Return the GFLOP/s of the fastest of several large float32 matrix products."""
    a, b = torch.rand(side, side), torch.rand(side, side)
    best = 0.0
    for _ in range(repeats):
        begin = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2 * side**3 / (time.perf_counter() - begin) / 1e9)
    return best


def serve_commands(size: int, width: int, batch: int) -> None:
    """Answer commands as JSON, one a line.

    {"do": "train", "steps": k}             k training steps on random images
    {"do": "translate", "realisations": n}  an EUV image encoded once, decoded with n random styles
    {"do": "peak"}                          {"gflop_per_second": ...} of a matrix product
    {"do": "quit"}

    The first two are answered by {"seconds", "cpu_seconds", "peak_rss_mib"}.
    """
    torch.manual_seed(0)
    style_size = 8
    generators = nn.ModuleDict({x: Generator(1, width, style_size, 4 * width, 2, 4) for x in DOMAINS})
    images = {x: 2 * torch.rand(batch, 1, size, size) - 1 for x in DOMAINS}

    @functools.cache
    def training() -> Training:
        # Only when asked for: a process that translates has no need of their memory.
        discriminators = nn.ModuleDict({x: Discriminator(1, width, 3) for x in DOMAINS})
        return Training(generators, discriminators, style_size)

    def train(steps: int) -> None:
        for _ in range(steps):
            training()(images)

    def translate(count: int) -> None:
        translate_often(generators, images["euv"][:1], torch.randn(count, style_size))

    ready = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    commands = {
        "train": lambda steps: cost(lambda: train(steps)),
        "translate": lambda realisations: cost(lambda: translate(realisations)),
        "peak": lambda: {"gflop_per_second": matmul_peak()},
    }
    serve(ready, commands)


def main() -> int:
    """Compare with a parity file or serve; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", help="file to agree with")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.serve:
        serve_commands(options.size, options.width, options.batch)
        return 0
    if not options.parity:
        parser.error("give --parity=FILE or --serve")
    from torch_parity import parity_errors  # which imports the networks from here

    errors = parity_errors(options.parity)
    worst = max(errors, key=errors.__getitem__)
    verdict = "OK" if errors[worst] <= 1 else "DIFFERS"
    print(f"{verdict}: {len(errors)} results, the worst is {worst} at {errors[worst]:.2g} of its tolerance")
    return 0 if errors[worst] <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
