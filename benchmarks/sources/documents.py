"""sources.4: words and table cells of documents, beside markitdown alone.

    python benchmarks/sources/documents.py [--count 12]

Two sets of files. The public one, ../shared/data/docs_multiformat (docx, html, md), is judged by its own
references, which another parser wrote. The made one (documents_written.py: docx, html, pdf, pptx, xlsx, half
of them Chinese) is judged by what was written into it. Recall and extra words are defined in
document_recall.py. Of our reading counts the text of each passage and each heading above it, once.

Words in `<nav>` are taken out of the references of html first: the source leaves navigation out by design,
and the figure with them stands in the note. The CSV files of the set are read by the source `tables`, not
here. The goal is markitdown's own figure on the same files. Intervals: bootstrap over documents, 95 %.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "spine")]

from document_recall import Score, cells, words  # noqa: E402
from measured import peer_python, versions  # noqa: E402
from record import ROOT, record, row  # noqa: E402

from zhiling.sources.documents import Documents  # noqa: E402

PUBLIC = ROOT.parent / "shared" / "data" / "docs_multiformat" / "docs.tar.gz"
PUBLIC_KINDS = ("docx", "html", "md")
MADE_KINDS = ("docx", "html", "pdf", "pptx", "xlsx")
PACKAGES = ["markitdown", "python-docx", "python-pptx", "reportlab", "XlsxWriter"]
DRAWS = 1000


@dataclass(frozen=True)
class Document:
    """A file, its reference, and the words of the reference that the source leaves out by design."""

    path: Path
    reference: str
    left_out: Counter[str]

    @property
    def language(self) -> str:
        """`zh` for the Chinese half of the made files."""
        return "zh" if "-zh-" in self.path.name else "en"


class _Navigation(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.depth += tag == "nav"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "nav" and self.depth > 0

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.texts.append(data)


def navigation(path: Path) -> Counter[str]:
    """The words in the navigation of a page."""
    parser = _Navigation()
    parser.feed(path.read_text(encoding="utf-8", errors="replace"))
    return words("\n".join(parser.texts))


def public(folder: Path) -> dict[str, list[Document]]:
    """The public files that have a reference, by type."""
    with tarfile.open(PUBLIC) as archive:
        archive.extractall(folder, filter="data")
    found: dict[str, list[Document]] = {}
    for kind in PUBLIC_KINDS:
        for path in sorted((folder / kind / "sources").glob(f"*.{kind}")):
            reference = folder / kind / "groundtruth" / f"{path.name}.md"
            if reference.exists():
                out = navigation(path) if kind == "html" else Counter()
                found.setdefault(kind, []).append(Document(path, reference.read_text("utf-8"), out))
    return found


def made(folder: Path, python: Path, count: int) -> dict[str, list[Document]]:
    """The files that were written for this, by type."""
    subprocess.run([python, HERE / "documents_written.py", folder, "--count", str(count)], check=True)
    return {
        kind: [
            Document(path, path.with_name(path.name + ".md").read_text("utf-8"), Counter())
            for path in sorted(folder.glob(f"{kind}-*.{kind}"))
        ]
        for kind in MADE_KINDS
    }


def ours(documents: list[Document]) -> tuple[dict[Path, str], float]:
    """Our reading of each file, and the seconds for all."""
    start = time.monotonic()
    texts = {each.path: reading(each.path) for each in documents}
    return texts, time.monotonic() - start


def reading(path: Path) -> str:
    """The passages of a file with the headings above them, each heading once."""
    texts: list[str] = []
    seen: list[str] = []
    for batch in Documents(path=path.name, max_characters=1_000_000).read([path], path.parent):
        rows = zip(batch.rows["messages"].to_list(), batch.rows["extra"].to_list(), strict=True)
        for (message,), extra in rows:
            headings = json.loads(extra)["headings"]
            texts += [each for at, each in enumerate(headings[:-1]) if headings[: at + 1] != seen[: at + 1]]
            texts.append(message["text"])
            seen = headings
    return "\n\n".join(texts)


def theirs(documents: list[Document], python: Path, folder: Path) -> tuple[dict[Path, str], float]:
    """The same by markitdown."""
    out = folder / "markitdown.json"
    files = [str(each.path) for each in documents]
    subprocess.run([python, HERE / "documents_markitdown.py", out, *files], check=True)
    answer = json.loads(out.read_text("utf-8"))
    return {Path(file): text for file, text in answer["texts"].items()}, answer["seconds"]


Pair = tuple[Counter[str], Counter[str]]


def pairs(
    documents: list[Document], texts: dict[Path, str], *, of_cells: bool, whole: bool = False
) -> list[Pair]:
    """What is wanted of each document and what was read of it."""
    if of_cells:
        return [(cells(each.reference), cells(texts[each.path])) for each in documents]
    return [
        (words(each.reference) - (Counter() if whole else each.left_out), words(texts[each.path]))
        for each in documents
    ]


def score(counted: list[Pair]) -> Score:
    """The counts of all documents together."""
    total = Score()
    for wanted, given in counted:
        total.add(wanted, given)
    return total


def interval(counted: list[Pair]) -> tuple[float, float]:
    """95 % of the recall over documents drawn anew."""
    sizes = [(wanted.total(), (wanted & given).total()) for wanted, given in counted]
    draw = random.Random(7)
    recalls: list[float] = []
    for _ in range(DRAWS):
        sample = draw.choices(sizes, k=len(sizes))
        wanted = sum(size for size, _ in sample)
        recalls.append(sum(found for _, found in sample) / wanted if wanted else 1.0)
    recalls.sort()
    return recalls[int(0.025 * DRAWS)], recalls[int(0.975 * DRAWS)]


class Comparison:
    """Both readings of the documents of one type."""

    def __init__(self, kind: str, documents: list[Document], python: Path, folder: Path) -> None:
        self.kind, self.documents = kind, documents
        self.ours, self.seconds = ours(documents)
        self.theirs, self.their_seconds = theirs(documents, python, folder)

    def row(self, id: str, data: str, *, of_cells: bool) -> dict[str, Any]:
        """A row of the results."""
        mine = pairs(self.documents, self.ours, of_cells=of_cells)
        value, peer = score(mine), score(pairs(self.documents, self.theirs, of_cells=of_cells))
        low, high = interval(mine)
        return row(
            id,
            f"{'table cells' if of_cells else 'words'} of {self.kind} found, {data}",
            round(value.recall, 4),
            round(peer.recall, 4),
            "higher",
            low=round(low, 4),
            high=round(high, 4),
            n=value.wanted,
            unit="share",
            beside={"markitdown": round(peer.recall, 4)},
            data=f"{len(self.documents)} files",
            note=self._note(value, peer, of_cells=of_cells),
        )

    def _note(self, value: Score, peer: Score, *, of_cells: bool) -> str:
        parts = [f"beyond the reference {value.extra:.3f} of what was read (markitdown {peer.extra:.3f})"]
        for language in ("en", "zh") if any(each.language == "zh" for each in self.documents) else ():
            some = [each for each in self.documents if each.language == language]
            both = [score(pairs(some, texts, of_cells=of_cells)).recall for texts in (self.ours, self.theirs)]
            parts.append(f"{language} {both[0]:.4f} (markitdown {both[1]:.4f})")
        if not of_cells and any(each.left_out for each in self.documents):
            both = [
                score(pairs(self.documents, texts, of_cells=False, whole=True)).recall
                for texts in (self.ours, self.theirs)
            ]
            parts.append(f"with the words of navigation {both[0]:.4f} (markitdown {both[1]:.4f})")
        parts.append(f"{self.seconds:.2f} s (markitdown {self.their_seconds:.2f} s)")
        return "; ".join(parts)


def main() -> None:
    """Measures and records."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=12, help="made files of each type and language")
    count = arguments.parse_args().count
    python = peer_python("documents")
    rows: list[dict[str, Any]] = []
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {"made": made(folder, python, count)}
        if PUBLIC.exists():
            sets = {"docs_multiformat": public(folder / "public"), **sets}
        else:
            print(f"{PUBLIC} is not here: only made files are measured", file=sys.stderr)
            letters = iter("ghijklmnopqrstuvwxyz")
        for data, kinds in sets.items():
            for kind, documents in kinds.items():
                compared = Comparison(kind, documents, python, folder)
                rows += [
                    compared.row(f"sources.4{next(letters)}", data, of_cells=of_cells)
                    for of_cells in (False, True)
                ]
                print(json.dumps(rows[-2:], ensure_ascii=False, indent=1))
    record("sources", rows, versions(python, PACKAGES))


if __name__ == "__main__":
    main()
