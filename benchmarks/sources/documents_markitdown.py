"""Markdown of documents by markitdown alone: python documents_markitdown.py OUT.json FILE…

It runs in the environment of `benchmarks/peers/documents.txt`. A file that raises is an empty text, and told.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

from markitdown import FileConversionException, MarkItDown, UnsupportedFormatException


def main(out: Path, files: list[str]) -> None:
    """Writes {"seconds", "texts": {file: text}}."""
    warnings.simplefilter("ignore")
    converter = MarkItDown()
    texts: dict[str, str] = {}
    start = time.monotonic()
    for file in files:
        try:
            texts[file] = converter.convert(file).text_content
        except (FileConversionException, UnsupportedFormatException) as error:
            print(f"markitdown: {Path(file).name}: {str(error)[:200]!r}", file=sys.stderr)
            texts[file] = ""
    seconds = time.monotonic() - start
    out.write_text(json.dumps({"seconds": seconds, "texts": texts}, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
