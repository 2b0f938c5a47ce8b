"""How a row is told: what was said, what is no text, and its other answers."""

from __future__ import annotations

from zhiling.workflow.inspect.book import answered


def test_media_and_other_answers_are_told() -> None:
    picture = {"kind": "image", "path": "a.png", "sha256": None, "at": 0}
    row = {
        "messages": [
            {"role": "user", "text": "这是什么？", "media": [picture]},
            {"role": "assistant", "text": "a lamp"},
        ],
        "alternatives": [{"kind": "rejected", "messages": [{"role": "assistant", "text": "a cat"}]}],
    }
    assert answered(row) == [
        ("user", "这是什么？ [image a.png]"),
        ("assistant", "a lamp"),
        ("rejected", "a cat"),
    ]
    assert answered({"messages": None, "alternatives": None}) == []
