"""The reference's numbers: its file, with the arrays in our trees and our layout."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from munit_jax.networks.munit import DOMAINS, Architecture, init_discriminators, init_generators
from munit_jax.training.objectives import Objective


def _torch_name(part: str, path: tuple[str, ...], a: Architecture) -> str:
    """Name in the reference of the parameter at `path`; `part` is content, style, decoder or discriminator."""
    *modules, leaf = path
    leaf = {"kernel": "weight"}.get(leaf, leaf)
    name = "/".join(modules)
    residual = {"content": f"enc_content.model.{a.downsamplings + 1}", "decoder": "dec.model.0"}.get(part)
    rules = {
        "content": [
            (r"stem/convolution", "enc_content.model.0.conv"),
            (r"down_(\d+)/convolution", "enc_content.model.{+1}.conv"),
        ],
        "style": [
            (r"stem/convolution", "enc_style.model.0.conv"),
            (r"down_(\d+)/convolution", "enc_style.model.{+1}.conv"),
            (r"code", "enc_style.model.6"),
        ],
        "decoder": [
            (r"mlp/hidden_(\d+)", "mlp.model.{+0}.fc"),
            (r"mlp/adain", "mlp.model.2.fc"),
            (r"up_(\d+)/convolution", "dec.model.{2n+2}.conv"),
            (r"up_(\d+)/norm", "dec.model.{2n+2}.norm"),
            (r"image", f"dec.model.{2 * a.downsamplings + 1}.conv"),
        ],
        "discriminator": [
            (r"scale_(\d+)/convolution_(\d+)", "cnns.{+0}.{m}.conv"),
            (r"scale_(\d+)/logits", f"cnns.{{+0}}.{a.discriminator_layers}"),
        ],
    }[part]
    if residual and (match := re.fullmatch(r"residual_(\d+)/(first|second)", name)):
        return f"{residual}.model.{match[1]}.model.{int(match[2] == 'second')}.conv.{leaf}"
    for pattern, target in rules:
        if match := re.fullmatch(pattern, name):
            n = int(match[1]) if match.groups() else 0
            m = match[2] if len(match.groups()) > 1 else ""
            numbers = {"{+0}": str(n), "{+1}": str(n + 1), "{2n+2}": str(2 * n + 2), "{m}": m}
            for placeholder, number in numbers.items():
                target = target.replace(placeholder, number)
            return f"{target}.{leaf}"
    raise KeyError(path)


def _from_torch(array: np.ndarray) -> np.ndarray:
    """Convolutions (O, I, H, W) -> (H, W, I, O), linear layers (O, I) -> (I, O)."""
    return {4: lambda x: x.transpose(2, 3, 1, 0), 2: lambda x: x.T, 1: lambda x: x}[array.ndim](array)


class Reference:
    """The file with its arrays in our trees and our layout."""

    def __init__(self, path: Path, dtype: str, convolution: Any):
        with np.load(path) as archive:
            self.arrays = {name: archive[name] for name in archive.files if name != "meta"}
            self.meta = json.loads(str(archive["meta"]))
        self.dtype = dtype
        meta, names = self.meta, self.arrays
        first = [n for n in names if re.fullmatch(r"gen/euv/enc_content\.model\.\d+\.conv\.weight", n)]
        self.architecture = Architecture(
            width=meta["width"],
            style_size=meta["style"],
            mlp_width=meta["mlp"],
            downsamplings=len(first) - 1,
            residual_blocks=meta["residual_blocks"],
            discriminator_width=meta["discriminator_width"],
            discriminator_scales=len({n.split(".")[1] for n in names if n.startswith("dis/euv/cnns.")}),
            discriminator_layers=sum(bool(re.fullmatch(r"dis/euv/cnns\.0\.\d+\.conv\.weight", n)) for n in names),
            euv_channels=meta["euv_channels"],
            magnetogram_channels=meta["magnetogram_channels"],
            dtype=dtype,
            convolution=convolution,
        )
        weights = {name: float(weight) for name, weight in meta["weights"].items()}
        self.objective = Objective(
            adversarial=meta["adversarial"],
            adversarial_weight=weights["adversarial"],
            image_weight=weights["image"],
            content_weight=weights["content"],
            style_weight=weights["style"],
            cycle_weight=weights["cycle"],
        )
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.used.add(name)
        return self.arrays[name].astype(self.dtype)

    def generators(self, prefix: str = "gen") -> dict:
        shapes = init_generators(self.architecture, 0)
        return self._tree(shapes, lambda domain, part: (f"{prefix}/{domain}/", part))

    def discriminators(self, prefix: str = "dis") -> dict:
        shapes = init_discriminators(self.architecture, 0)
        nested = {domain: {"discriminator": shapes[domain]} for domain in DOMAINS}
        tree = self._tree(nested, lambda domain, part: (f"{prefix}/{domain}/", part))
        return {domain: tree[domain]["discriminator"] for domain in DOMAINS}

    def _tree(self, shapes: dict, place) -> dict:
        flat = {}
        for (domain, part, *path), leaf in traverse_util.flatten_dict(shapes).items():
            prefix, part_name = place(domain, part)
            array = _from_torch(self[prefix + _torch_name(part_name, tuple(path), self.architecture)])
            assert array.shape == leaf.shape, (domain, part, path)
            flat[domain, part, *path] = array
        return traverse_util.unflatten_dict(flat)
