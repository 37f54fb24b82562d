"""Compressed data, inflated to the size that a header declares and no further, and checked."""

from __future__ import annotations

import zlib

from .unreadable import DAMAGED, UnreadableError

GZIP_START = b"\x1f\x8b"
LARGEST_RATIO = 1040
"""Deflate makes data at most 1032 times smaller."""

TRAILING_BYTES = 1 << 20
"""What may follow the declared data, such as the remarks that some programs append."""


class Inflater:
    """A stream of one or several gzip members, or a zlib stream, that is inflated piece by piece.

    Args:
        data: the compressed bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._compressed_size = len(data)
        self._rest = data
        self._stream = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end.

        Raises:
            UnreadableError: if the data is cut off or damaged: the check sum of each member is compared.
        """
        if size > LARGEST_RATIO * self._compressed_size:
            raise UnreadableError(DAMAGED)
        pieces, missing = [], size
        try:
            while missing > 0 and not self._ended():
                # as much as possible in one piece: at every call the threads of a busy process take turns
                piece = self._stream.decompress(self._rest, missing)
                self._rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
                if not piece and not self._rest and not self._stream.eof:
                    raise UnreadableError(DAMAGED)
                pieces.append(piece)
                missing -= len(piece)
        except zlib.error as error:
            raise UnreadableError(DAMAGED) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _ended(self) -> bool:
        """Whether the last member is complete; begins the next one if there is one."""
        if not self._stream.eof:
            return False
        if not self._rest.startswith(GZIP_START):  # zeros, as tapes and some programs fill up with
            return True
        self._stream = zlib.decompressobj(wbits=47)
        return False

    def finish(self) -> None:
        """Read to the end, so that the check sum is compared.

        Raises:
            UnreadableError: if the data is damaged, or if far more follows than was declared.
        """
        if len(self.read(min(TRAILING_BYTES, LARGEST_RATIO * self._compressed_size))) == TRAILING_BYTES:
            raise UnreadableError("holds more data than its header declares: export it again")
        if not self._stream.eof:
            raise UnreadableError(DAMAGED)


def inflate(data: bytes, size: int) -> bytes:
    """Exactly ``size`` bytes of compressed data (gzip or zlib).

    Raises:
        UnreadableError: if the data is damaged, too short, or much longer.
    """
    stream = Inflater(data)
    inflated = stream.read(size)
    if len(inflated) < size:
        raise UnreadableError(DAMAGED)
    stream.finish()
    return inflated
