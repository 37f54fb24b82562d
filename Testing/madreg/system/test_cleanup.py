"""A process that ends at once leaves neither temporary folders nor processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

from madreg.system import cleanup

ROOT = Path(__file__).parents[3] / "MADRegistration"

CODE = """
import subprocess, sys, threading
from madreg.system import cleanup
from madreg.system.process import leave

def work(started):
    with cleanup.temporary_folder() as folder:
        (folder / "header.nii").write_bytes(b"1")
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with cleanup.undone_at_the_end(child.kill):
            print(folder, child.pid, flush=True)
            started.set()
            child.wait()
            threading.Event().wait()

started = threading.Event()
threading.Thread(target=work, args=(started,), daemon=True).start()
started.wait()
leave(1)
"""


def test_what_other_threads_hold_is_gone(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    folder, child = done.stdout.split()
    assert not Path(folder).exists() and list(tmp_path.iterdir()) == []
    end = time.monotonic() + 10
    while is_alive(int(child)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(int(child))


def is_alive(pid):
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_block_that_ends_leaves_nothing_to_undo():
    with cleanup.undone_at_the_end(print), cleanup.temporary_folder() as folder:
        assert folder.is_dir() and len(cleanup._pending) == 2
    assert not folder.exists() and not cleanup._pending
