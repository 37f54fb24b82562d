"""Python programs that are forked from one process, which has loaded what they need.

Starting Python and loading SimpleITK takes 0.3 s of a processor, more than what most of these programs do.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from importlib import import_module
from typing import IO, Any

LONGEST_REQUEST = 1 << 20  # bytes


def is_possible() -> bool:
    """Whether this system can: Linux, unless a container forbids it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class ForkServer:
    """The process that is forked: it is started when it is first needed, and ends with this one.

    Args:
        modules: that it loads; they must start no threads.
    """

    def __init__(self, modules: list[str]) -> None:
        self._modules = modules
        self._process: subprocess.Popen | None = None

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            code = f"import forking; forking.serve({number}, {self._modules})"
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(word for word in sys.path if word)}
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[number],
                env=environment,
            )

    def fork(self, words: list[str], streams: list[int], environment: dict[str, str], folder: str) -> int:
        """Process number of a new program: a script or ``-c`` and code, and its arguments.

        Args:
            streams: its standard input, output and error.
            folder: the one it starts in.
        """
        if self._process is None:
            self._start()
        request = json.dumps({"words": words, "environment": environment, "folder": folder}).encode()
        assert len(request) < LONGEST_REQUEST
        socket.send_fds(self._socket, [request], streams)
        answer = self._socket.recv(100)
        assert answer, "the process that is forked has ended"
        return int(answer)

    def close(self) -> None:
        if self._process is not None:
            self._socket.close()
            self._process.wait(timeout=10)

    def popen(self, command: list[str], **how: Any) -> Forked | subprocess.Popen:
        """In place of ``subprocess.Popen``: other programs than those of this Python are started."""
        if command[0] == sys.executable:
            return Forked(self, command[1:], **how)
        return subprocess.Popen(command, **how)


class Forked:
    """As much of ``subprocess.Popen`` as is used of programs that are forked."""

    def __init__(
        self,
        server: ForkServer,
        words: list[str],
        stdin: int,
        stdout: int,
        stderr: int | IO[bytes],
        env: dict[str, str] | None = None,
        cwd: os.PathLike | None = None,
    ) -> None:
        assert stdin == stdout == subprocess.PIPE
        (its_input, ours), (our_output, its_output) = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(ours, "wb"), os.fdopen(our_output, "rb")
        with contextlib.ExitStack() as stack:
            for number in (its_input, its_output):
                stack.callback(os.close, number)
            errors = stack.enter_context(open(os.devnull, "wb")) if stderr == subprocess.DEVNULL else stderr
            streams = [its_input, its_output, errors.fileno()]
            self.pid = server.fork(words, streams, dict(os.environ if env is None else env), str(cwd or os.getcwd()))
        self._handle = os.pidfd_open(self.pid)  # while the server lives, no other process gets this number
        weakref.finalize(self, os.close, self._handle)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdin.close()
        self.wait()
        self.stdout.close()

    def communicate(self, text: bytes, timeout: float) -> tuple[bytes, None]:
        """Send this to the program and return what it has printed when it has ended."""
        printed: list[bytes] = []
        reader = threading.Thread(target=lambda: printed.append(self.stdout.read()), daemon=True)
        reader.start()
        with contextlib.suppress(BrokenPipeError), self.stdin:
            self.stdin.write(text)
        self.wait(timeout)
        reader.join()
        return printed[0], None

    def poll(self) -> int | None:
        """None while it runs."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> None:
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a forked program", timeout)


def serve(number: int, modules: list[str]) -> None:
    """Load the modules, then fork for every message that comes by a socket, until its other end is closed."""
    for module in modules:
        import_module(module)
    with socket.socket(fileno=number) as requests:
        while True:
            request, streams, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 3)
            if not request:
                return
            process = os.fork()
            if process == 0:
                break
            requests.send(str(process).encode())
            for stream in streams:
                os.close(stream)
    _become(streams, **json.loads(request))


def _become(streams: list[int], words: list[str], environment: dict[str, str], folder: str) -> None:
    """Run the program of a request in this process."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(words[1], {"__name__": "__main__"})
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
