"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names the file or volume and says what to do; it is shown as it is,
    by the command line on stderr and by the Slicer module in its panel.
    """
