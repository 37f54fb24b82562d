"""What libraries print on stderr is kept from it, and it comes back."""

import os
import threading

import pytest

from madreg.system.stderr import allow_suppression, suppressed


@pytest.fixture
def allowed():
    with allow_suppression():
        yield


def test_a_process_that_did_not_ask_for_it_keeps_its_stderr(capfd):
    with suppressed():
        os.write(2, b"from a library")
    assert capfd.readouterr().err == "from a library"


def test_stderr_is_silent_below_python_and_comes_back(allowed, capfd):
    with suppressed():
        os.write(2, b"from a library")
    os.write(2, b"from us")
    assert capfd.readouterr().err == "from us"


def test_threads_may_overlap(allowed, capfd):
    """The first to begin is the first to end: what it puts back must not be what the second one found."""
    began, ended = threading.Event(), threading.Event()

    def second():
        with suppressed():
            began.set()
            ended.wait(10)
            os.write(2, b"from a library")

    thread = threading.Thread(target=second)
    with suppressed():
        thread.start()
        assert began.wait(10)
    ended.set()
    thread.join()
    os.write(2, b"from us")
    assert capfd.readouterr().err == "from us"


def test_at_the_end_of_a_command_stderr_is_there_though_a_thread_still_reads(capfd):
    began, ended = threading.Event(), threading.Event()

    def read():
        with suppressed():
            began.set()
            ended.wait(10)

    thread = threading.Thread(target=read)
    with allow_suppression():
        thread.start()
        assert began.wait(10)
    os.write(2, b"the error")
    ended.set()
    thread.join()
    os.write(2, b", and more")
    assert capfd.readouterr().err == "the error, and more"
