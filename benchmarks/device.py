"""One device in five minutes: precision, training step, translation and PFSS, compared with MUNIT in PyTorch.

    python benchmarks/device.py [--output=device.json] [--peer_python=PYTHON_WITH_TORCH] [--minutes=5]
        [--sizes=128,256,512,1024] [--width=64] [--inference_size=512] [--realisations=1,16] [--magnetograms=64]

Needs jax, flax, optax, orbax-checkpoint, numpy, jaxtyping and astropy, and torch in the peer's Python.
Each row is a process of its own, so its peak memory is its own, and it runs on the device that JAX finds first. Rows
come in the order of their worth; those for which no time is left, or that fail, say so in the table.

- precision: a translation, and the gradient of its mean absolute error, compared with float64 on the CPU, as the
  norm of the difference over the norm. tf32 is float32 with products as the tensor cores round them.
- train: one step of the reference's architecture, batch 1, `recompute=activations`, `all` from 1024 pixels on. The
  share of the peak counts the products that are written (polyphase upsampling) and the fastest large matrix product
  that the same process found in the same precision.
- translate: one image into several realisations.
- pfss: boundary maps of 180 x 360 cells to their open flux, lmax 60, together.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from children import Answer, Child
from device_rows import PRODUCTS, Row, measure, timed

HERE = Path(__file__).parent


def rows(options: argparse.Namespace) -> list[Row]:
    """Return the rows in the order of their worth."""
    sizes, counts = options.sizes, options.realisations
    middle = sizes[len(sizes) // 2 - 1] if len(sizes) > 1 else sizes[0]
    peer = ["peer"] if options.peer_python else []
    return [
        *(Row("ours", "precision", min(sizes), precision, 1) for precision in PRODUCTS),
        *(Row(who, "train", size, "tf32", 1) for size in sizes for who in ["ours", *peer]),
        *(Row(who, "translate", options.inference_size, "tf32", n) for n in counts for who in ["ours", *peer]),
        Row("ours", "pfss", 180, "float32", options.magnetograms),
        *(Row("ours", "train", middle, precision, 1) for precision in options.train_precisions),
    ]


def ask_ours(row: Row, options: argparse.Namespace, seconds: float) -> Answer:
    """Return what a process of our own measures; RuntimeError if it fails, TimeoutExpired if it takes too long."""
    command = [sys.executable, __file__, f"--row={json.dumps(row)}", f"--width={options.width}"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "JAX_ENABLE_COMPILATION_CACHE": "false",  # compile times are those of a first start
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def ask_peer(row: Row, options: argparse.Namespace) -> Answer:
    """Return what MUNIT in PyTorch takes for a row, on a GPU if it has one."""
    sizes = [f"--size={row.size}", f"--width={options.width}", "--device=auto", f"--precision={row.precision}"]
    command = [options.peer_python, str(HERE / "torch_munit.py"), "--serve", *sizes]
    arguments = {"steps": 1} if row.what == "train" else {"realisations": row.count}
    with Child([*command, "--compile"] if options.peer_compile else command) as peer:
        seconds = timed(lambda: peer.ask(row.what, **arguments))
        answer = {"device": peer.ready["device"], "torch": peer.ready["torch"]}
        memory = peer.ask("memory")["device_peak_gb"]
    return {**answer, "seconds": seconds, "images_per_second": row.count / seconds, "memory_gb": memory}


def table_row(row: Row, answer: Answer) -> str:
    """Return a row of the table."""
    who = f"{row.who:<6}{row.what:<11}{row.size:>5}  {row.precision:<10}{row.count:>4}"
    if "failed" in answer:
        return f"{who}  {answer['failed']}"
    if row.what == "precision":
        verdict = "agrees" if answer["agrees"] else "DIFFERS"
        return f"{who}  output {answer['output_error']:.1e}, gradient {answer['gradient_error']:.1e}: {verdict}"
    memory, share, compiling = (answer.get(name) for name in ("memory_gb", "share_of_peak", "compile_seconds"))
    return (
        f"{who}{answer['seconds']:>10.4f}{answer['images_per_second']:>10.2f}"
        f"{'-' if memory is None else f'{memory:.2f}':>8}{'-' if share is None else f'{share:.0%}':>7}"
        f"{'-' if compiling is None else f'{compiling:.1f}':>10}"
    )


def main() -> None:
    """Print the table and write the JSON file, or measure the one row of a child."""

    def numbers(text: str) -> list[int]:
        return [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("device.json"))
    parser.add_argument("--peer_python", help="a Python that has torch")
    parser.add_argument("--peer_compile", action="store_true", help="the peer's networks go through torch.compile")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--sizes", type=numbers, default=[128, 256, 512, 1024])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--inference_size", type=int, default=512)
    parser.add_argument("--realisations", type=numbers, default=[1, 16])
    parser.add_argument(
        "--train_precisions",
        type=lambda text: [name for name in text.split(",") if name],
        default=["bfloat16", "float32"],
        help="of one more step, compared with tf32",
    )
    parser.add_argument("--magnetograms", type=int, default=64)
    parser.add_argument("--row", type=lambda text: Row(*json.loads(text)), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(options.row, options.width)))
        return
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, width {options.width}")
    print(f"{'size':>22}{'n':>16}{'seconds':>10}{'images/s':>10}{'GB':>8}{'peak':>7}{'compile':>10}")
    deadline, results = time.monotonic() + 60 * options.minutes, []
    for row in rows(options):
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise subprocess.TimeoutExpired("", 0)
            answer = ask_peer(row, options) if row.who == "peer" else ask_ours(row, options, left)
        except subprocess.TimeoutExpired:
            answer = {"failed": "not measured: no time left"}
        except (RuntimeError, OSError) as error:
            answer = {"failed": f"not measured: {error}"}
        results.append({**row._asdict(), **answer})
        options.output.write_text(json.dumps(results, indent=2) + "\n")
        print(table_row(row, answer), flush=True)
    print(f"{results[0].get('device')}; {options.output}")


if __name__ == "__main__":
    main()
