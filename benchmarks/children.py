"""Programs that are measured side by side, each in a process of its own: commands and answers as JSON, one a line.

A process of its own has a peak memory and CPU-seconds of its own. Standard library only: the peer's interpreter need
not have what ours has.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Answer = dict[str, Any]


def cpu_seconds() -> float:
    """Return the processor time that this process has used, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mib() -> float:
    """Return the most resident memory that this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def cost(work: Callable[[], object]) -> Answer:
    """Do the work and return what it took; the peak memory is that of the process so far."""
    begin, cpu_begin = time.perf_counter(), cpu_seconds()
    work()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "cpu_seconds": cpu_seconds() - cpu_begin, "peak_rss_mib": peak_rss_mib()}


def serve(ready: Answer, commands: Mapping[str, Callable[..., Answer]]) -> None:
    """Say that the process is ready, then answer commands, {"do": name, ...}, until {"do": "quit"}."""
    print(json.dumps({"ready": True, **ready}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        if name == "quit":
            return
        print(json.dumps(commands[name](**command)), flush=True)


class Child:
    """A process that serves; a context manager that ends it. `start_seconds` passed before it was ready."""

    def __init__(self, command: Sequence[str]):
        begin = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self._read()
        self.start_seconds = time.perf_counter() - begin

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(json.dumps({"do": "quit"}) + "\n")

    def ask(self, do: str, **arguments: object) -> Answer:
        """Send a command and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> Answer:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended without an answer")
        return json.loads(line)
