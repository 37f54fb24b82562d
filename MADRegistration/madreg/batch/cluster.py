"""The Dask cluster that a batch runs on: this computer, or any with a scheduler."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..io.memory import available_bytes
from ..system.cleanup import temporary_folder
from ..system.process import spinning_limit

if TYPE_CHECKING:
    from distributed import Client

WORKER_BYTES = 1_500_000_000
"""Memory that a worker takes for heads."""
CONNECT_SECONDS = 30
DASHBOARD_PORT = 8787
MEMORY = {  # a worker is ended before the computer runs out of memory; it keeps no results that could be moved to disk
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
}
PATIENCE = {  # on a busy computer a process that is started anew takes longer than Dask waits by default
    "distributed.deploy.lost-worker-timeout": "60s",
    "distributed.comm.timeouts.connect": "60s",
}


@dataclass(frozen=True)
class Share:
    """How this computer is shared: ``workers`` processes, each of which registers with ``threads`` threads."""

    workers: int
    threads: int


def share_of_computer(pairs: int, workers: int | None, threads: int | None, device: str) -> Share:
    """The shares that make this computer full and not overfull.

    One worker for each GPU; without GPUs one for each processor, as far as memory and pairs suffice.

    Args:
        pairs: how many there are to be done.
        workers, threads: what the user wants; None leaves it open.
        device: as in :class:`madreg.settings.Settings`.
    """
    cores = usable_cores()
    if workers is None:
        number = gpus(device)
        if not number:
            memory = available_bytes()
            number = cores // (threads or 1)
            number = number if memory is None else min(number, memory // WORKER_BYTES)
        workers = max(1, min(number, pairs))
    return Share(workers, threads or max(1, cores // workers))


def usable_cores() -> int:
    """Processors that this process may use, also in a container."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def gpus(device: str) -> int:
    """How many GPUs there are for a device's name; 0 for the CPU."""
    if device.startswith("cpu"):
        return 0
    import torch

    if torch.cuda.is_available() and device in ("auto", "cuda"):
        return torch.cuda.device_count()
    return int(device != "auto" or torch.backends.mps.is_available())


@contextmanager
def local(share: Share) -> Iterator[Client]:
    """A cluster on this computer for as long as the block runs.

    It listens on the loopback interface alone, and its messages are encrypted with a key of its own, so that no other
    user of this computer can send it work.

    Raises:
        InputError: if Dask is not installed.
    """
    distributed = required()
    import dask

    environment = {name: str(share.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    environment |= spinning_limit()
    with dask.config.set({**MEMORY, **PATIENCE}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a port of the dashboard that is taken
        with (
            temporary_folder() as scratch,  # Dask would leave a folder where temporary files go
            dask.config.set({"temporary-directory": str(scratch)}),
            distributed.LocalCluster(
                n_workers=share.workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=f"127.0.0.1:{DASHBOARD_PORT}",
                worker_dashboard_address=None,
                silence_logs=logging.CRITICAL,
                security=_security(),
                env=environment,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def replenish(client: Client, share: Share) -> None:
    """Start workers of :func:`local` anew that Dask has given up, such as those that ended while they started."""
    if client.cluster is not None:
        client.cluster.scale(share.workers)


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A cluster whose scheduler has this address, such as ``tcp://head:8786``.

    Raises:
        InputError: if Dask is not installed or the scheduler does not answer.
    """
    distributed = required()
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError, MemoryError) as error:  # of another server bytes are taken for a size
        raise InputError(f"The scheduler {address} does not answer: check the address, and that it runs.") from error
    with client:
        yield client


def required() -> Any:
    """The module ``distributed``, which from now on logs nothing.

    Raises:
        InputError: if it is not installed.
    """
    for name in ("distributed", "asyncio"):  # workers that end are in the manifest
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        import distributed
    except ImportError as error:
        raise InputError('Dask is not installed: run `pip install "madreg[batch]"`.') from error
    return distributed


def _security() -> object:
    """A key and certificate for this run alone."""
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError as error:
        raise InputError('The package cryptography is not installed: run `pip install "madreg[batch]"`.') from error
