"""Answer templates: which replies are near-equal, what they have in common, and what fills their slots."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import orjson
import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import has_reply, reply_text
from zhiling.synthesis.skeletons import Casing
from zhiling.synthesis.template_mining import AnswerTemplate, Match, Templates, mine

LONGEST = 4000
"""Characters of a reply that is looked at: none that is longer is written again and again."""
_TEMPLATES, _CASING = "templates.jsonl", "casing.json"


class AnswerTemplates(Measure):
    """Finds templates in near-equal replies, and writes each reply's template with the values of its slots.

    Slots are numbers, money, dates, times, addresses, phone numbers, e-mail and web addresses, order ids and
    names, found by pattern and by how the log writes words (capitals; quotation marks in Chinese), and `free`
    ones: Chinese words in which near-equal replies differ. Replies with the same slots, the same denials and
    nearly the same words share a template.

    Columns: `template` (an id), `pattern` (`it arrives on {date}.`), `likeness` of the reply's words to the
    template's (0 to 1), `slots` (JSON: type, value, start and end in code points of the reply). All but
    `likeness`, which is 0, are null where a reply has no template.
    """

    name: ClassVar[str] = "answer_templates"
    cost: ClassVar[str] = "about .5 ms a reply; learns from `sample` replies, some 2 KB each in memory"
    limits: ClassVar[str] = (
        "Names that a log writes in lower case stay text, and so do Chinese names outside of quotation "
        "marks, unless near-equal replies differ in them. Whether a slot's value is true is not asked. "
        "Replies of more than 4,000 characters pass by."
    )
    source: ClassVar[str] = "Jaccard similarity of words; Ratcliff & Metzener 1988 (alignment)"

    near: float = Field(0.5, ge=0.3, le=1, description="least Jaccard similarity of words to the template's")
    least_rows: int = Field(3, ge=2, description="replies that a template needs")
    sample: int = Field(50_000, ge=100, description="learn from so many replies at most, drawn at random")

    def writes(self) -> dict[str, pl.DataType]:
        """The template and its slots."""
        return {
            "template": pl.String(),
            "pattern": pl.String(),
            "likeness": pl.Float64(),
            "slots": pl.String(),
        }

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply that is no document."""
        return has_reply(rows["messages"]) & (reply_text(rows["messages"]).str.len_chars() <= LONGEST)

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Mines the templates, into a file that people can read."""
        rows = rows.filter(self.applies(rows))
        if rows.height > self.sample:
            drawn = pl.Series(context.uniform(rows["id"]))
            rows = rows[drawn.arg_sort()[: self.sample].sort()]
        texts = sorted(reply_text(rows["messages"]).to_list())
        write_templates(mine(texts, self.near, self.least_rows), folder)

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Template, pattern, likeness and slots of each reply."""
        templates = read_templates(context.fitted, self.near)
        found = [templates.match(text) for text in reply_text(rows["messages"])]
        return pl.DataFrame(
            {
                "template": [match and match.template.id for match in found],
                "pattern": [match and match.template.pattern for match in found],
                "likeness": [match.likeness if match else 0.0 for match in found],
                "slots": [match and _spelled(match) for match in found],
            },
            schema=self.writes(),
        )


def write_templates(templates: Templates, folder: Path) -> None:
    """Writes templates, one a line, and the casing that they hang on."""
    lines = [
        orjson.dumps(
            {
                "template": each.id,
                "pattern": each.pattern,
                "rows": each.rows,
                "words": each.words,
                "fixed": {str(number): value for number, value in each.fixed.items()},
                "free": each.free,
            }
        )
        for each in templates.mined
    ]
    (folder / _TEMPLATES).write_bytes(b"".join(line + b"\n" for line in lines))
    casing = templates.casing
    words = {"inside": casing.inside, "always": casing.always, "known": casing.known}
    (folder / _CASING).write_bytes(orjson.dumps({name: sorted(each) for name, each in words.items()}))


def read_templates(folder: Path, near: float) -> Templates:
    """The templates that `write_templates` wrote."""
    lines = map(orjson.loads, (folder / _TEMPLATES).read_bytes().splitlines())
    mined = [
        AnswerTemplate(
            tuple(line["words"]),
            line["rows"],
            {int(number): value for number, value in line["fixed"].items()},
            tuple((low, high) for low, high in line["free"]),
        )
        for line in lines
    ]
    words = orjson.loads((folder / _CASING).read_bytes())
    casing = Casing(**{name: frozenset(each) for name, each in words.items()})
    return Templates(mined, casing, near)


def _spelled(match: Match) -> str:
    return orjson.dumps([slot._asdict() for slot in match.slots]).decode()
