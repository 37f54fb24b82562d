"""PyTorch on demand: looked for without importing it, installed by Slicer's PyTorch extension after asking."""

from __future__ import annotations

import importlib.util

from madreg.errors import InputError

REQUIREMENT = ">=2.2"

HOW_TO_GET = (
    "MADRegistration needs PyTorch: open the Extensions Manager (menu View), install the extension PyTorch, "
    "restart Slicer, and press Register again."
)
DECLINED = "MADRegistration needs PyTorch, which was not installed: press Register again to install it."


def isInstalled() -> bool:
    """Whether there is a torch to import.  It is not imported, which would take seconds."""
    return importlib.util.find_spec("torch") is not None


def ensure() -> None:
    """Make sure that there is a PyTorch, asking before it is downloaded.

    Raises:
        InputError: if there is none afterwards; the sentence says what to do.
    """
    if isInstalled():
        return
    try:
        import PyTorchUtils  # of the PyTorch extension, which may be absent
    except ImportError:
        raise InputError(HOW_TO_GET) from None
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=REQUIREMENT)
    except Exception as error:  # pip and the network fail in many ways
        raise InputError(
            f"PyTorch could not be installed ({error}): check the network connection and free disk "
            "space, or install it with the module PyTorch Utils."
        ) from error
    if torch is None:
        raise InputError(DECLINED)
