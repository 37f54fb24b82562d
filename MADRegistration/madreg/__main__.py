"""``python -m madreg`` is ``madreg``."""

from .commands.main import command

if __name__ == "__main__":
    command()
