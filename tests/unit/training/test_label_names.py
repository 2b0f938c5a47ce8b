"""The untrained arm: nearest label name, in any of a label's languages."""

from __future__ import annotations

import numpy as np
import pytest

from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError
from zhiling.training import nearest_label_name

NAMES = {"password": ["reset password", "重置密码"], "parcel": ["track parcel", "查询快递"]}


def test_the_nearest_name_wins_in_both_languages() -> None:
    texts = ["please reset my password", "我要查询快递", "怎么重置密码", "where can I track the parcel"]
    found = nearest_label_name(texts, NAMES, HashingEncoder().encode)
    assert found.answers == ("password", "parcel", "password", "parcel")
    assert found.classes == ("parcel", "password")
    assert found.scores.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert found.best_scores.min() > 0.5


def test_a_tie_goes_to_the_label_that_sorts_first() -> None:
    found = nearest_label_name(["", "???"], NAMES, HashingEncoder().encode)
    assert found.answers == ("parcel", "parcel")
    assert found.scores[0] == pytest.approx([0.5, 0.5])


def test_no_texts_give_no_answers() -> None:
    assert nearest_label_name([], NAMES, HashingEncoder().encode).scores.shape == (0, 2)


@pytest.mark.parametrize(("names", "message"), [({}, "no labels"), ({"a": ["x"], "b": []}, r"\['b'\]")])
def test_labels_need_names(names: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        nearest_label_name(["x"], names, lambda texts: np.zeros((len(texts), 2), np.float32))
