"""Agreement of `torch_munit.py` with a parity file: outputs, losses and gradients, in float64."""

import json
import re
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch_munit import (
    DOMAINS,
    discriminator_loss,
    generator_terms,
    translate_both,
    weighted_total,
)
from torch_networks import Discriminator, Generator

# A weight's name in the parity file, and here.
NAMES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"enc_content\.model\.(\d+)\.conv", lambda m: f"content.convolutions.{m[1]}"),
    (
        r"enc_content\.model\.\d+\.model\.(\d+)\.model\.(\d)\.conv",
        lambda m: f"content.residual.{m[1]}.convolutions.{m[2]}",
    ),
    (r"enc_style\.model\.([0-4])\.conv", lambda m: f"style.convolutions.{m[1]}"),
    (r"enc_style\.model\.6", lambda m: "style.code"),
    (r"mlp\.model\.(\d)\.fc", lambda m: f"decoder.mlp.{m[1]}"),
    (r"dec\.model\.0\.model\.(\d+)\.model\.(\d)\.conv", lambda m: f"decoder.residual.{m[1]}.convolutions.{m[2]}"),
    (r"dec\.model\.(\d*[02468])\.conv", lambda m: f"decoder.up.{int(m[1]) // 2 - 1}"),
    (r"dec\.model\.(\d*[02468])\.norm", lambda m: f"decoder.norms.{int(m[1]) // 2 - 1}"),
    (r"dec\.model\.\d*[13579]\.conv", lambda m: "decoder.image"),
    (r"cnns\.(\d+)\.(\d+)(\.conv)?", lambda m: f"scales.{m[1]}.{m[2]}"),
)


def our_name(name: str) -> str:
    """Return a weight's name here: domain, network, layer."""
    domain, path = name.split("/")[-2:]
    module, leaf = path.rsplit(".", 1)
    for pattern, target in NAMES:
        if match := re.fullmatch(pattern, module):
            return f"{domain}.{target(match)}.{leaf}"
    raise KeyError(name)


OUTPUT_TOLERANCE, LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-6, 1e-4  # of an array's largest entry


def parity_errors(file: str) -> dict[str, float]:
    """Return by name the error of every number of the file, in units of its tolerance."""
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "meta"}
        meta = json.loads(str(archive["meta"]))

    def tensor(name: str) -> Tensor:
        array = torch.from_numpy(arrays[name]).double()
        images = array.ndim == 4 and name.startswith(("in/", "out/"))
        return array.permute(0, 3, 1, 2).contiguous() if images else array

    def state(prefix: str) -> dict[str, Tensor]:
        return {our_name(name): tensor(name) for name in arrays if name.startswith(f"{prefix}/")}

    width, downsamplings = meta["width"], sum(n.startswith("gen/euv/dec") and n.endswith("gamma") for n in arrays)
    scales = len({name.split(".")[1] for name in arrays if name.startswith("dis/euv/cnns.")})
    generators, discriminators = nn.ModuleDict(), nn.ModuleDict()
    for x in DOMAINS:
        channels = meta[f"{x}_channels"]
        generators[x] = Generator(
            channels, width, meta["style"], meta["mlp"], downsamplings, meta["residual_blocks"]
        ).double()
        discriminators[x] = Discriminator(channels, meta["discriminator_width"], scales).double()
    generators.load_state_dict(state("gen"))
    discriminators.load_state_dict(state("dis"))

    images = {x: tensor(f"in/{x}") for x in DOMAINS}
    styles = {x: tensor(f"in/style_{x}") for x in DOMAINS}
    weights = {name: float(weight) for name, weight in meta["weights"].items()}
    terms, made = generator_terms(generators, discriminators, images, styles, cycle=True)
    total = weighted_total(terms, weights)
    with torch.no_grad():
        translation = translate_both(generators, images, styles)
    loss = discriminator_loss(discriminators, images, translation)

    errors = {}

    def compare(name: str, value: Tensor, expected: Tensor, tolerance: float, scale: float = 0.0) -> None:
        scale = scale or float(expected.abs().max())
        errors[name] = float((value.detach() - expected).abs().max()) / (tolerance * scale)

    for name, value in made.items():
        compare(f"out/{name}", value, tensor(f"out/{name}"), OUTPUT_TOLERANCE)
    for x in DOMAINS:
        # The file does not say whether the logits are of the real or of the translated image.
        both = [discriminators[x](image) for image in (images[x], translation[x])]
        for i in range(scales):
            name = f"out/dis_{x}_scale{i}"
            candidates = []
            for logits in both:
                compare(name, logits[i], tensor(name), OUTPUT_TOLERANCE)
                candidates.append(errors[name])
            errors[name] = min(candidates)
    losses = {**terms, "generator_total": total, "discriminator": loss}
    for name, value in losses.items():
        compare(f"loss/{name}", value, tensor(f"loss/{name}"), LOSS_TOLERANCE)
    for prefix, networks, value in (("grad_gen", generators, total), ("grad_dis", discriminators, loss)):
        gradients = torch.autograd.grad(value, list(networks.parameters()))
        names = [name for name, _ in networks.named_parameters()]
        expected = state(prefix)
        largest = max(float(gradient.abs().max()) for gradient in expected.values())
        for name, gradient in zip(names, gradients, strict=True):
            # A bias that the norm after it subtracts has a gradient of round-off only.
            cancelled = float(expected[name].abs().max()) < 1e-12 * largest
            compare(
                f"{prefix}/{name}", gradient, expected[name], GRADIENT_TOLERANCE, 1e-6 * largest if cancelled else 0.0
            )
    compared = sum(name.startswith(("out/", "loss/", "grad_")) for name in arrays)
    if len(errors) != compared:
        raise ValueError(f"{file} has {compared} results, {len(errors)} were compared")
    return errors
