"""Feeds damaged files to a source until it crashes, hangs or takes too much memory: `make fuzz KIND=pdf`.

python tools/fuzz.py KIND [--seconds 60] [--seeds FOLDER]

The fuzzer (atheris, coverage-guided) changes files that work: those of `--seeds`, or a small one that is
written here. Whatever comes out, each item must be a row of the record or a bad item with its place.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris
import polars as pl

MEMORY_MB, TIMEOUT_S = 2048, 20
TEXT = "How long is the key? 钥匙有多长？"


def lines(*records: object) -> bytes:
    """JSON Lines."""
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()


def zipped(**members: str) -> bytes:
    """A zip archive of texts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


def tarred() -> bytes:
    """A tar archive with one page."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo("page.md")
        entry.size = len(TEXT.encode())
        archive.addfile(entry, io.BytesIO(TEXT.encode()))
    return content.getvalue()


def parquet() -> bytes:
    """Two records in Parquet."""
    content = io.BytesIO()
    pl.DataFrame({"instruction": [TEXT, "b"], "output": ["c", None]}).write_parquet(content)
    return content.getvalue()


PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def word() -> bytes:
    """A Word file with a paragraph and a table."""
    paragraph = f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>"
    body = f"{paragraph}<w:tbl><w:tr><w:tc>{paragraph}</w:tc></w:tr></w:tbl>"
    target = f'<Relationship Id="a" Type="{OFFICE}" Target="word/document.xml"/>'
    return zipped(
        **{
            "_rels/.rels": f'<Relationships xmlns="{PACKAGE}">{target}</Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        }
    )


PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length 40>>stream
BT /F 12 Tf 20 100 Td (How long) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
"""
CHAT = {"messages": [{"role": "user", "content": TEXT}, {"role": "assistant", "content": "3 cm"}]}
PREFERENCE = {"prompt": TEXT, "chosen": "3 cm", "rejected": "no"}
TURNS = {"id": 1, "turns": [{"speaker": "customer", "text": TEXT}, {"speaker": "agent", "text": "3 cm"}]}
EVENT = {
    "id": "e1", "time": "2026-01-02T03:04:05Z", "conversation": "c", "answer_id": "a", "answer": "3 cm",
    "messages": [{"role": "user", "text": TEXT}], "verdict": "up", "consent": True,
}  # fmt: skip
ENTITIES = {"text": TEXT, "entities": [{"start": 0, "end": 3, "label": "x"}]}

# kind → source, file name, a file that works
KINDS: dict[str, tuple[str, str, str | bytes | Callable[[], bytes]]] = {
    "jsonl": ("tables", "rows.jsonl", lambda: lines({"instruction": TEXT, "output": "3 cm"})),
    "json": ("tables", "rows.json", lambda: b"[" + lines({"instruction": TEXT}) + b"]"),
    "csv": ("tables", "rows.csv", f'instruction,output\n"{TEXT}\nx",3 cm\n'),
    "tsv": ("tables", "rows.tsv", f"instruction\toutput\n{TEXT}\t3 cm\n"),
    "parquet": ("tables", "rows.parquet", parquet),
    "labelled": ("labelled", "rows.jsonl", lambda: lines({"text": TEXT, "label": ["a"]}, ENTITIES)),
    "conll": ("labelled", "rows.conll", b"New B-LOC\nYork I-LOC\n\nx O\n"),
    "instructions": ("instructions", "rows.jsonl", lambda: lines(CHAT, PREFERENCE, {"text": TEXT})),
    "conversations": ("conversations", "rows.jsonl", lambda: lines(TURNS)),
    "transcript": ("conversations", "chat.txt", f"[10:00] customer: {TEXT}\nagent: 3 cm\n"),
    "feedback": ("feedback", "rows.jsonl", lambda: lines(EVENT)),
    "markdown": ("documents", "page.md", f"# A\n\n- {TEXT}\n\n| a | b |\n|---|---|\n| c | d |\n"),
    "html": ("documents", "page.html", f"<h1>A</h1><table><tr><td>{TEXT}</table>"),
    "text": ("documents", "page.txt", TEXT),
    "docx": ("documents", "page.docx", word),
    "pdf": ("documents", "page.pdf", PDF),
    "zip": ("documents", "pages.zip", lambda: zipped(**{"page.md": TEXT})),
    "tar": ("documents", "pages.tar.gz", tarred),
}  # fmt: skip


def seed(kind: str) -> bytes:
    """A file of this kind that works."""
    content = KINDS[kind][2]
    made = content() if callable(content) else content
    return made.encode() if isinstance(made, str) else made


def harness(kind: str, folder: Path) -> Callable[[bytes], None]:
    """Reads bytes as a file of this kind and checks what comes out."""
    name, file, _ = KINDS[kind]
    path = folder / file
    # the fuzzer follows what is imported here: reading the seed brings in whatever its kind needs
    with atheris.instrument_imports(include=["zhiling.sources", "zhiling.rows.formats"]):
        from zhiling.pipeline import registry
        from zhiling.sources.record_source import SOURCE_ROW

        source = registry.load("source", name)(path="*")
        path.write_bytes(seed(kind))
        found = sum(batch.rows.height for batch in source.read([path], folder))
    if not found:
        raise SystemExit(f"the seed of {kind} gives no row; a seed must work")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        for batch in source.read([path], folder):
            assert batch.rows.schema == pl.Schema(SOURCE_ROW)
            assert all(place.startswith(file) for place in batch.rows["locator"])
            assert all(bad.place.startswith(file) and bad.cls.isidentifier() for bad in batch.bad)

    return read


def main() -> None:
    """Fuzzes one kind for a while; the fuzzer ends the process, with 0 where nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--seconds", type=int, default=60, help="how long")
    parser.add_argument("--seeds", type=Path, help="folder with files that work")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zhiling-fuzz-") as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        (corpus / "seed").write_bytes(seed(options.kind))
        seeds = [str(options.seeds)] if options.seeds else []
        limits = [f"-max_total_time={options.seconds}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}"]
        atheris.Setup([sys.argv[0], *limits, str(corpus), *seeds], harness(options.kind, folder))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
