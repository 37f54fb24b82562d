"""Fake workers that are forked from one process, which has loaded what they need: Python takes 0.3 s to do that."""

import json
import os
import select
import signal
import socket
import subprocess
import sys

from doubles import FAKES

IS_POSSIBLE = hasattr(os, "fork") and hasattr(os, "pidfd_open")


class ForkServer:
    """The process that is forked; it ends with this one."""

    def __init__(self):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, str(FAKES), "--fork", str(number)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[number]
            )

    def fork(self, arguments, streams):
        """Process number of a new fake worker that has these arguments, standard streams and this environment."""
        request = json.dumps({"arguments": arguments, "environment": dict(os.environ)}).encode()
        socket.send_fds(self._socket, [request], streams)
        answer = self._socket.recv(100)
        assert answer, "the process that is forked has ended"
        return int(answer)

    def close(self):
        self._socket.close()
        self._process.wait(timeout=10)

    def popen(self, command, stdin, stdout, stderr):
        """In place of ``subprocess.Popen``, with pipes to the fake worker."""
        assert command[:2] == [sys.executable, str(FAKES)] and stdin == stdout == subprocess.PIPE
        return ForkedFake(self, command[2:], stderr)


class ForkedFake:
    """What is used of ``subprocess.Popen``, for a fake worker that was forked."""

    def __init__(self, server, arguments, log):
        (itsInput, ours), (ourOutput, itsOutput) = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(ours, "wb"), os.fdopen(ourOutput, "rb")
        self.pid = server.fork(arguments, [itsInput, itsOutput, log.fileno()])
        self._handle = os.pidfd_open(self.pid)  # the number is not given to another process while the server lives
        os.close(itsInput)
        os.close(itsOutput)

    def __del__(self):
        os.close(self._handle)

    def poll(self):
        """None while it runs."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout=None):
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a fake worker", timeout)
