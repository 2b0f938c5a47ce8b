"""Near-duplicates of any rows: neither order nor slices nor compiled code changes who stays for whom."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation import near_dedup
from zhiling.curation.near_dedup import NearDedup
from zhiling.text import compiled, normalise, shingles

PIECES = st.sampled_from(
    ["refund", "Refund", "ORDER 7", "ships", "退款", "订单", "何时到账", "مرحبا", "بالعالم", "שלום", "สวัสดี",
     "한국어", "カタカナ", "naïve", "é", "e\u0301", "👍", "👩\u200d💻", "🇨🇳", "\ufeff", "\u202e", "!", "，",
     "\x00", ""]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=10).map(" ".join)
ROWS = st.lists(st.tuples(TEXTS | st.none(), TEXTS | st.none()), min_size=1, max_size=12)
STEPS = st.builds(
    NearDedup,
    jaccard=st.sampled_from([0.4, 0.6, 0.8]),
    size=st.integers(1, 3),
    method=st.sampled_from(["minhash", "exact"]),
    keep=st.sampled_from(["longest", "first"]),
)


@settings(max_examples=150, deadline=None)
@given(ROWS, STEPS, st.integers(1, 3), st.booleans(), st.randoms(use_true_random=False))
def test_order_slices_and_compiled_code_change_nothing(
    texts: list[tuple[str | None, str | None]], step: NearDedup, slice_rows: int, fast: bool, random: Any
) -> None:
    frame = pairs(*texts, *texts[:2])
    straight = step.decide(frame, CONTEXT).with_columns(frame["id"]).sort("id")
    order = list(range(frame.height))
    random.shuffle(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_dedup, "_SLICE_ROWS", slice_rows)
        patch.setattr(normalise, "_SLICE_ROWS", 2)
        patch.setattr(shingles, "_TEXT_BYTES", 30)
        patch.setattr(compiled, "PAYS_FROM_BYTES", -1 if fast else float("inf"))
        other = step.decide(frame[order], CONTEXT).with_columns(frame["id"].gather(order)).sort("id")
    assert other.equals(straight)
