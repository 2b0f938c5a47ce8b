"""Small labelled texts in two languages that a model can learn in a second."""

from __future__ import annotations

from collections.abc import Sequence

from zhiling.training import Examples, text_input

PHRASES = {
    "card": ["my card is lost", "where is my lost card", "我的卡丢了", "银行卡不见了"],
    "parcel": ["where is the parcel", "my parcel is late", "我的快递在哪里", "快递还没到"],
    "password": ["how to reset the password", "reset my password", "怎么重置密码", "密码忘了"],
}


def labelled(copies: int = 4) -> Examples:
    """`copies` variants of each phrase, labels mixed."""
    rows = [
        (f"{phrase} {number}", label)
        for number in range(copies)
        for label, phrases in PHRASES.items()
        for phrase in phrases
    ]
    return Examples(
        ids=tuple(str(number) for number in range(len(rows))),
        inputs=tuple(text_input(text) for text, _ in rows),
        targets=tuple(label for _, label in rows),
        languages=tuple("en" if text.isascii() else "zh" for text, _ in rows),
    )


def accuracy(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """The share of equal labels."""
    return sum(one == other for one, other in zip(truth, predicted, strict=True)) / len(truth)
