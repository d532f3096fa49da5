"""What a process says that dies without coming to its end."""

import atexit
import os
import signal


def leave(words: str) -> None:
    """Have words said on stderr should this process die without coming to its end, killed or aborted.

    JAX aborts a process whose fellows have died, from a thread of its own: no code of ours runs then. So a child waits
    for it, which does nothing that a process with threads should not do after a fork.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if not os.read(reading, 1):  # the pipe was closed by the system, not by the end of the program
            os.write(2, f"\n{words}\n".encode())
        os._exit(0)
    os.close(reading)
    atexit.register(os.write, writing, b".")
