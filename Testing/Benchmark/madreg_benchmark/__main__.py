"""``python -m madreg_benchmark``."""

import sys

from madreg_benchmark.command import main

if __name__ == "__main__":
    sys.exit(main())
