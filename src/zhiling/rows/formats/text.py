"""Plain text as JSON Lines, `{"text": …}`: material for continued pre-training, one document a line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from zhiling.rows.formats.checks import text_of
from zhiling.rows.formats.draft import Draft, Message, Unreadable, count_beside
from zhiling.rows.formats.json_lines import JsonLines, info_entry

DOCUMENT, BREAK = "document", "\n"


class Text(JsonLines):
    """One line a row: a passage as it is; of a conversation its texts, without who said them."""

    name: ClassVar[str] = "text"
    OWN = frozenset({"text"})

    def holds(self) -> frozenset[str]:
        """Nothing beside the text; see `JsonLines.holds`."""
        return frozenset()

    def own_fields(self) -> frozenset[str]:
        """Only `text`: what else stands beside it is `extra`."""
        return self.OWN

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with a text."""
        return int(fields.get("text") is str)

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The passage of a record."""
        text = text_of(record.get("text"), "text")
        if not text:
            raise Unreadable(
                "missing_field", f"text is empty or missing; this record has {sorted(record)!r:.200}"
            )
        return Draft([Message(DOCUMENT, text)], task="passage")

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The record of one row; see `JsonLines.records`."""
        spoken = [message for message in draft.messages if message.text]
        if len(spoken) != 1 or spoken[0].role != DOCUMENT:
            lost.add("roles")
        count_beside(draft.messages, lost)
        return [{"text": BREAK.join(message.text or "" for message in spoken)}]

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry for LLaMA-Factory's pre-training stage."""
        return info_entry(file_name, {"prompt": "text"})
