"""The example of documents: two manuals become rows in both languages; answers are pieces of passages."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import orjson

import zhiling
from zhiling.rows.templates import Library, Unparsed, reading

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "generate" / "documents"
KINDS = {"heading", "definition", "table", "procedure", "cloze"}
SEQUENCE_KINDS = {"plan", "order", "continue", "before"}


def test_manuals_become_rows_whose_answers_stand_in_them(tmp_path: Path) -> None:
    root = tmp_path / "documents"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    run = zhiling.Recipe.load(root / "recipe.yaml").run()
    rows = [row for row in run.rows().iter_rows(named=True) if row["task"] != "passage"]
    found: Counter[tuple[str, str]] = Counter()
    library, answered = Library(), 0
    for row in rows:
        extra, truth = orjson.loads(row["extra"]), orjson.loads(row["target"])
        kind = extra.get("question_kind") or extra["sequence_kind"]
        found[row["origin"]["group"], kind] += 1
        texts = [message["text"] for message in row["messages"]]
        read = reading(texts, truth, library)
        assert read is not None
        assert not isinstance(read.parse_row(texts[-1]), Unparsed)
        for answer in truth.get("answers", []):
            place = answer["place"]
            assert texts[place["message"]][place["start"] : place["end"]] == answer["text"]
            answered += 1
    documents = ("irrigation-en.md", "irrigation-zh.md")
    assert set(found) == {(document, kind) for document in documents for kind in KINDS | SEQUENCE_KINDS}
    assert len(rows) >= 60
    assert answered >= 35
