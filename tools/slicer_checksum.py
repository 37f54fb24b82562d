"""Print the SHA-512 of Slicer's package for Linux, as sha512sum reads it, from the page of downloads on stdin.

curl https://download.slicer.org/ | python tools/slicer_checksum.py release|nightly
"""

from __future__ import annotations

import html
import re
import sys

ROWS = {"release": r"Linux", "nightly": r"Linux \(preview\)"}
FILE = "slicer.tar.gz"


def checksum(page: str, stability: str) -> str:
    """The 128 hexadecimal digits in the row of a package.

    Raises:
        ValueError: if the page has no such row, or several that differ.
    """
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).replace("|", " ").split())
    found = set(re.findall(rf"(?<!\w){ROWS[stability]} ([0-9a-f]{{128}})(?![0-9a-f])", text))
    if len(found) != 1:
        raise ValueError(f"the page has {len(found)} checksums of the {stability} for Linux")
    return found.pop()


def main() -> int:
    print(f"{checksum(sys.stdin.read(), sys.argv[1])}  {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
