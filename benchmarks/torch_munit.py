"""MUNIT in PyTorch, eager, written from the papers: the peer with which `train_step.py` compares ours.

    python benchmarks/torch_munit.py --parity=FILE
    python benchmarks/torch_munit.py --serve [--size=128] [--width=64] [--batch=1] [--threads=N]
        [--device=cpu|cuda|auto] [--precision=float32|tf32|bfloat16] [--compile]

Needs torch and numpy only, so that it runs in an environment without JAX. The first form computes in float64 all
outputs, losses and gradients of a parity file and compares; exit status 1 if they differ. The second reads commands as
JSON, one a line, and answers each with a line: see `serve_commands`.

The step is the reference's: discriminators first, on translations with styles of their own, then the generators with
new styles through the new discriminators. What costs time without changing the result is left out: the translations
for the discriminators are made without a graph, and the generators' update takes no gradient of discriminator weights.
"""

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from children import cost, serve
from torch import Tensor, nn
from torch_networks import Discriminator, Generator

DOMAINS = ("euv", "magnetogram")
OTHER = {"euv": "magnetogram", "magnetogram": "euv"}
WEIGHTS = {"adversarial": 1.0, "image": 10.0, "content": 1.0, "style": 1.0, "cycle": 0.0}


Images = dict[str, Tensor]  # by domain


def translate_both(generators: nn.ModuleDict, images: Images, styles: Images) -> Images:
    """Return by domain x the images made of the other domain's content and a given style of x."""
    return {x: generators[x].decoder(generators[OTHER[x]].content(images[OTHER[x]]), styles[x]) for x in DOMAINS}


def discriminator_loss(discriminators: nn.ModuleDict, images: Images, translation: Images) -> Tensor:
    """LSGAN: the sum over domains and scales of E (G(x) - 1)^2 + E G(fake)^2."""
    loss = torch.zeros((), dtype=images["euv"].dtype, device=images["euv"].device)
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
    """Return the sum of the terms; a weight applies to both domains."""
    return sum(weights[name.rsplit("_", 1)[0]] * value for name, value in terms.items())


class Training:
    """The networks with their optimisers; a call is one step."""

    def __init__(self, generators: nn.ModuleDict, discriminators: nn.ModuleDict, style_size: int):
        self.generators, self.discriminators, self.style_size = generators, discriminators, style_size
        self.device = next(generators.parameters()).device
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(networks.parameters(), 1e-4, (0.5, 0.999), weight_decay=1e-4, fused=True)
            for networks in (generators, discriminators)
        )

    def draw_styles(self, batch: int) -> Images:
        """Draw a style of each domain for each example."""
        return {x: torch.randn(batch, self.style_size, device=self.device) for x in DOMAINS}

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


def set_precision(precision: str) -> None:
    """Set how products of float32 are rounded on a GPU, and let cuDNN try its algorithms."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "float32"


def serve_commands(
    size: int, width: int, batch: int, device: str = "cpu", precision: str = "float32", compiling: bool = False
) -> None:
    """Answer commands as JSON, one a line.

    {"do": "train", "steps": k}             k training steps on random images
    {"do": "translate", "realisations": n}  an EUV image encoded once, decoded with n random styles
    {"do": "peak"}                          {"gflop_per_second": ...} of a matrix product
    {"do": "memory"}                        {"device_peak_gb": ...} on a GPU, None on a CPU
    {"do": "quit"}

    The first two are answered by {"seconds", "cpu_seconds", "peak_rss_mib"}.
    """
    torch.manual_seed(0)
    set_precision(precision)
    style_size, on_gpu = 8, device != "cpu"
    form = torch.channels_last if on_gpu else torch.contiguous_format

    def placed(networks: nn.ModuleDict, called: Callable[[nn.Module], Iterable[nn.Module]]) -> nn.ModuleDict:
        networks.to(device=device, memory_format=form)
        for network in networks.values() if compiling else ():
            for part in called(network):
                part.compile()
        return networks

    autoencoders = {x: Generator(1, width, style_size, 4 * width, 2, 4) for x in DOMAINS}
    generators = placed(nn.ModuleDict(autoencoders), nn.Module.children)
    images = {x: (2 * torch.rand(batch, 1, size, size) - 1).to(device, memory_format=form) for x in DOMAINS}

    @functools.cache
    def training() -> Training:
        # Only when asked for: a process that translates has no need of their memory.
        discriminators = placed(nn.ModuleDict({x: Discriminator(1, width, 3) for x in DOMAINS}), lambda one: (one,))
        return Training(generators, discriminators, style_size)

    def finish() -> None:
        if on_gpu:
            torch.cuda.synchronize()

    def train(steps: int) -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu and precision == "bfloat16"):
            for _ in range(steps):
                training()(images)
        finish()

    def translate(count: int) -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu and precision == "bfloat16"):
            translate_often(generators, images["euv"][:1], torch.randn(count, style_size, device=device))
        finish()

    name = torch.cuda.get_device_name() if on_gpu else "cpu"
    ready = {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": name}
    commands = {
        "train": lambda steps: cost(lambda: train(steps)),
        "translate": lambda realisations: cost(lambda: translate(realisations)),
        "peak": lambda: {"gflop_per_second": matmul_peak()},
        "memory": lambda: {"device_peak_gb": torch.cuda.max_memory_allocated() / 1e9 if on_gpu else None},
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
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "auto"), help="auto: a GPU if there is one")
    parser.add_argument("--precision", default="float32", choices=("float32", "tf32", "bfloat16"), help="on a GPU")
    parser.add_argument("--compile", action="store_true", help="the networks go through torch.compile")
    options = parser.parse_args()
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(options.threads)
    if options.serve:
        place = (options.device, options.precision, options.compile)
        serve_commands(options.size, options.width, options.batch, *place)
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
