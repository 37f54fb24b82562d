"""Why a file cannot be read, said by the reader of its format."""

from __future__ import annotations

DAMAGED = "is damaged or incomplete: copy or download it again"


class UnreadableError(Exception):
    """A file that cannot be read.

    The message follows the file's name in a sentence, without a full stop: what is wrong, a colon, and what to do.
    :func:`madreg.io.images.open_image` makes an :class:`~madreg.errors.InputError` of it.
    """
