"""A training step, and a translation into many realisations, compared with PyTorch.

    python benchmarks/train_step.py --peer_python=PYTHON_WITH_TORCH [--what=train,translate] [--size=128] [--rounds=7]
        [--realisations=1,16] [--inference_size=512] [--width=64] [--batch=1] [--peer_parity=FILE]
        [--convolution=winograd] [--recompute=activations]

The peer is `torch_munit.py`; with --peer_parity it first has to agree with that file. Ours and the peer are processes
of their own, warmed up once, and take turns within every round; ratios are of the two times of a round. Both have one
channel a domain and LSGAN losses with the reference's weights, and do the work on all cores. Each number of
realisations gets processes of its own, so that the peak memory is its own.

Run it alone: where other programs want the cores, the peer's threads wait for each other and lose more than ours.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from children import Answer, Child, cost, peak_rss_mib, serve
from flops import flops_of_realisations, flops_per_step

from munit_jax.networks.blocks import Recompute
from munit_jax.networks.convolution import Algorithm
from munit_jax.networks.munit import DOMAINS, Architecture, Params, init_generators, realisations
from munit_jax.training.objectives import Objective
from munit_jax.training.state import OptimizerSettings, init_state, make_optimizers
from munit_jax.training.step import Batch, Recipe, make_train_step

PEER = Path(__file__).with_name("torch_munit.py")


def architecture(options: argparse.Namespace) -> Architecture:
    """Return the reference's architecture at some width, computed as the options say."""
    width = options.width
    return Architecture(
        width=width,
        mlp_width=4 * width,
        discriminator_width=width,
        convolution=options.convolution,
        recompute=options.recompute,
    )


def random_images(size: int, batch: int) -> dict[str, jax.Array]:
    """Draw images of both domains."""
    rng = np.random.default_rng(0)
    return {x: jnp.asarray(rng.uniform(-1, 1, (batch, size, size, 1)).astype(np.float32)) for x in DOMAINS}


def compiled(function: jax.stages.Wrapped, *arguments: object) -> tuple[jax.stages.Compiled, Answer]:
    """Compile a jitted function; return it and the seconds that tracing and compiling took."""
    begin = time.perf_counter()
    lowered = function.lower(*arguments)
    middle = time.perf_counter()
    program = lowered.compile()
    end = time.perf_counter()
    peak = peak_rss_mib()
    return program, {
        "trace_seconds": middle - begin,
        "compile_seconds": end - middle,
        "peak_rss_mib_compiled": peak,
    }


def training(a: Architecture, size: int, batch: int) -> tuple[Callable[[int], None], Answer]:
    """Return a function of a number of our training steps on one batch, and the time of compiling."""
    recipe = Recipe(a, Objective(adversarial="lsgan"), OptimizerSettings(weight_decay=1e-4))
    state = init_state(a, make_optimizers(recipe.optimizer), seed=0)
    # Donated, so no two leaves may be one buffer: the moving average starts as the parameters themselves.
    state = state.replace(ema=jax.tree.map(jnp.copy, state.ema))
    data = Batch(images=random_images(size, batch), index=jnp.arange(batch))
    step, times = compiled(jax.jit(make_train_step(recipe, jax.random.key(0)), donate_argnums=0), state, data)

    def train(steps: int) -> None:
        nonlocal state
        for _ in range(steps):
            state, _ = step(state, data)
        jax.block_until_ready(state)

    return train, times


def translation(a: Architecture, size: int, count: int) -> tuple[Callable[[], jax.Array], Answer]:
    """Return a function that translates an image into several realisations, and the time of compiling."""
    generators, image = init_generators(a, 0), random_images(size, 1)["euv"]
    styles = jax.random.normal(jax.random.key(0), (count, a.style_size))

    @jax.jit
    def translate_all(generators: Params, image: jax.Array, styles: jax.Array) -> jax.Array:
        return realisations(a, generators, "euv", image, styles)

    program, times = compiled(translate_all, generators, image, styles)
    return lambda: jax.block_until_ready(program(generators, image, styles)), times


def serve_training(a: Architecture, size: int, batch: int) -> None:
    """Compile our step, then answer {"do": "train", "steps": k}."""
    train, times = training(a, size, batch)
    serve(
        {"jax": jax.__version__, **times},
        {"train": lambda steps: cost(lambda: train(steps)), "peak": peak},
    )


def serve_translation(a: Architecture, size: int, count: int) -> None:
    """Compile our translation, then answer {"do": "translate", "realisations": n} for that one n."""
    translate_all, times = translation(a, size, count)

    def translate(realisations: int) -> Answer:
        assert realisations == count
        return cost(translate_all)

    serve({"jax": jax.__version__, **times}, {"translate": translate, "peak": peak})


def take_turns(children: dict[str, Child], rounds: int, do: str, **arguments: int) -> dict[str, list[Answer]]:
    """Warm all up, then let each do the work in every round; return the answers."""
    answers: dict[str, list[Answer]] = {name: [] for name in children}
    for k in range(rounds + 1):
        for name, child in children.items():
            answer = child.ask(do, **arguments)
            if k:
                answers[name].append(answer)
    return answers


def spread(values: Sequence[float]) -> str:
    """Return the median and the range of some numbers."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def report(answers: dict[str, list[Answer]], children: dict[str, Child]) -> dict[str, float]:
    """Print what both took and the ratios; return the median seconds of each."""
    print(f"{'':<14}{'seconds':>26}{'CPU-seconds':>26}{'peak MiB':>10}{'start s':>9}{'trace s':>9}{'compile s':>11}")
    for name, values in answers.items():
        columns = [spread([value[key] for value in values]) for key in ("seconds", "cpu_seconds")]
        # A start lasts until the first call is possible, without compiling, which counts separately.
        compiler = [children[name].ready.get(f"{key}_seconds", 0.0) for key in ("trace", "compile")]
        times = [children[name].start_seconds - sum(compiler), *compiler]
        peak = max(value["peak_rss_mib"] for value in values)
        print(
            f"{name:<14}{columns[0]:>26}{columns[1]:>26}{peak:>10.0f}{times[0]:>9.1f}{times[1]:>9.1f}{times[2]:>11.1f}"
        )

    def ratios(key: str) -> list[float]:
        return [ours[key] / peer[key] for ours, peer in zip(answers["ours"], answers["peer"], strict=True)]

    memory = max(ratios("peak_rss_mib"))
    print(f"{'ours / peer':<14}{spread(ratios('seconds')):>26}{spread(ratios('cpu_seconds')):>26}{memory:>10.2f}")
    compiled_peak = children["ours"].ready["peak_rss_mib_compiled"]
    print(f"ours had a peak of {compiled_peak:.0f} MiB once compiled, before the first call")
    return {name: statistics.median(value["seconds"] for value in values) for name, values in answers.items()}


def report_rates(seconds: dict[str, float], flops: dict[str, int], peak: float) -> None:
    """Print GFLOP/s and their share of the peak; `flops` by program and way of counting."""
    for name, count in flops.items():
        rate = count / seconds[name.split(",")[0]] / 1e9
        print(f"{name:<42}{count / 1e9:>9.1f} GFLOP{rate:>8.1f} GFLOP/s{rate / peak:>7.0%} of the peak")


def peak(side: int = 2048, repeats: int = 20, dtype: str = "float32") -> Answer:
    """Return the GFLOP/s of the fastest of several large matrix products in JAX."""
    a, b = (jnp.asarray(np.random.default_rng(seed).random((side, side), np.float32), dtype) for seed in range(2))
    product, best = jax.jit(jnp.matmul), 0.0
    for _ in range(repeats):
        begin = time.perf_counter()
        product(a, b).block_until_ready()
        best = max(best, 2 * side**3 / (time.perf_counter() - begin) / 1e9)
    return {"gflop_per_second": best}


def machine_peak(children: dict[str, Child]) -> float:
    """Return the machine's peak in GFLOP/s: the faster of the two sides' matrix products."""
    peaks = {name: child.ask("peak")["gflop_per_second"] for name, child in children.items()}
    print("peak (float32 matrix product): " + ", ".join(f"{name} {peak:.0f} GFLOP/s" for name, peak in peaks.items()))
    return max(peaks.values())


def processor() -> str:
    """Return the processor's name, where the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def compare(options: argparse.Namespace, what: str, realisations: int = 0) -> None:
    """Measure and report one thing, in two new processes."""
    training = what == "train"
    size, batch = (options.size, options.batch) if training else (options.inference_size, 1)
    sizes = [f"--size={size}", f"--width={options.width}", f"--batch={batch}"]
    forms = [f"--convolution={options.convolution}", f"--recompute={options.recompute}"]
    our_command = [sys.executable, __file__, f"--serve={what}", f"--realisations={realisations}", *sizes, *forms]
    peer_command = [options.peer_python, str(PEER), "--serve", *sizes]
    with Child(our_command) as ours, Child(peer_command) as peer:
        work = {"steps": 1} if training else {"realisations": realisations}
        title = f"training step, batch {batch}" if training else f"translation, realisations: {realisations}"
        print(
            f"\n{title}, {size} x {size}, width {options.width}, {options.rounds} rounds; ours with convolutions "
            f"{options.convolution}{f', computing again {options.recompute}' if training else ''}; "
            f"jax {ours.ready['jax']}, torch {peer.ready['torch']} with {peer.ready['threads']} threads"
        )
        children = {"ours": ours, "peer": peer}
        seconds = report(take_turns(children, options.rounds, what, **work), children)
        a = architecture(options)

        def count(ours: bool, polyphase: bool) -> int:
            if training:
                return batch * sum(flops_per_step(a, size, shared_forward=ours, polyphase=polyphase).values())
            return flops_of_realisations(a, size, realisations, polyphase)

        flops = {
            "ours, as written": count(True, False),
            "ours, with polyphase upsampling": count(True, True),
            "peer, as written": count(False, False),
        }
        report_rates(seconds, flops, machine_peak(children))
        if options.convolution == "winograd":
            print("ours does fewer products than are counted: Winograd's algorithm is not in the count")


def main() -> None:
    """Run the benchmark, or serve one of its two sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer_python", help="a Python that has torch")
    parser.add_argument("--peer_parity", help="parity file that the peer must agree with first")
    parser.add_argument("--what", default="train,translate")
    parser.add_argument("--size", type=int, default=128, help="of the images trained on")
    parser.add_argument("--inference_size", type=int, default=512)
    parser.add_argument("--realisations", default="1,16")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1, help="of the training step")
    parser.add_argument("--convolution", default="winograd", choices=get_args(Algorithm), help="ours")
    parser.add_argument("--recompute", default="activations", choices=get_args(Recompute), help="ours, in training")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", choices=("train", "translate"), help=argparse.SUPPRESS)  # the child that is ours
    options = parser.parse_args()
    if options.serve:
        # Compile times are those of a first start.
        jax.config.update("jax_enable_compilation_cache", False)
        if options.serve == "train":
            serve_training(architecture(options), options.size, options.batch)
        else:
            serve_translation(architecture(options), options.size, int(options.realisations))
        return
    if not options.peer_python:
        parser.error("give --peer_python, a Python that has torch")
    print(
        f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, numpy {np.__version__}; "
        f"load before: {os.getloadavg()[0]:.1f}"
    )
    if options.peer_parity:
        subprocess.run([options.peer_python, PEER, f"--parity={options.peer_parity}"], check=True)
    if "train" in options.what.split(","):
        compare(options, "train")
    if "translate" in options.what.split(","):
        for realisations in map(int, options.realisations.split(",")):
            compare(options, "translate", realisations)


if __name__ == "__main__":
    main()
