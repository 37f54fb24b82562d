"""The exception whose message is for the user, and whether an exception means that memory ran out."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names the file or volume and says what to do; it is shown as it is,
    by the command line on stderr and by the Slicer module in its panel.
    """


def is_memory_error(error: BaseException) -> bool:
    """Whether an exception means that memory ran out; torch on the CPU raises a plain RuntimeError."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("alloc" in text or "out of memory" in text) and "memory" in text)
    )
