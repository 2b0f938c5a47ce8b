"""A table step cut by keys says what it says of the whole table, however the rows are cut."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inline_ray import InlineRay
from tests.toys import World
from tests.unit.pipeline.engines.test_ray import same
from zhiling.curation.exact_dedup import ExactDedup
from zhiling.curation.near_dedup import NearDedup
from zhiling.pipeline.engines.ray import RayEngine
from zhiling.pipeline.engines.shuffle import Linked
from zhiling.pipeline.plan import StepLine
from zhiling.text import minhash
from zhiling.text.union_find import components

TEMPLATE = "the order with the number {} was sent to the address that you gave us on {}, 订单{}已发出请查收"


def lines(seed: int, crowd: int, others: int) -> list[str]:
    """Rows of one template (a crowd, where there are many), copies, and rows of their own."""
    draw = np.random.default_rng(seed)
    made = [TEMPLATE.format(*draw.integers(0, 9, 3)) for _ in range(crowd)]
    words = [f"w{number}" for number in range(300)]
    for _ in range(others):
        copied = bool(made) and draw.random() < 0.3
        made.append(
            str(draw.choice(made)) + "!" * int(draw.integers(3))
            if copied
            else " ".join(draw.choice(words, 9))
        )
    return [made[place] for place in draw.permutation(len(made))]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    crowd=st.integers(0, 120),
    piece_rows=st.integers(3, 90),
    jaccard=st.sampled_from([0.5, 0.8, 0.95]),
    keep=st.sampled_from(["first", "longest"]),
)
def test_verdicts_are_those_of_the_whole(
    seed: int, crowd: int, piece_rows: int, jaccard: float, keep: str
) -> None:
    steps = (
        StepLine("exact", ExactDedup(keep=keep)),
        StepLine("near", NearDedup(jaccard=jaccard, keep=keep)),
    )
    rows = lines(seed, crowd, others=60)
    with tempfile.TemporaryDirectory() as folder:
        here, _ = World(Path(folder) / "a").run(rows, steps)
        engine = RayEngine(InlineRay(), 2, piece_rows=piece_rows)
        there, _ = World(Path(folder) / "b").run(rows, steps, engine=engine)
        same(here.run, there.run)


def test_no_bucket_is_crowded_for_the_text_room_alone() -> None:
    assert NearDedup.crowd_rows <= minhash._CROWD_ROWS


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30), st.integers(1, 8))
def test_shards_hold_whole_components(pairs: list[tuple[int, int]], rows: int) -> None:
    import polars as pl

    frame = pl.DataFrame(pairs, schema={"left": pl.UInt32, "right": pl.UInt32}, orient="row")
    linked = Linked(20)
    for half in (frame.head(len(pairs) // 2), frame.tail(len(pairs) - len(pairs) // 2)):
        linked.add(half, np.empty(0, dtype=np.uint32))
    expected = components(20, frame["left"].to_numpy(), frame["right"].to_numpy())
    np.testing.assert_array_equal(linked.labels, expected)
    met, shard = linked.shards(rows)
    of = dict(zip(met.tolist(), shard.tolist(), strict=True))
    sizes = np.bincount(expected, minlength=20)[expected]
    assert sorted(of) == np.flatnonzero(sizes > 1).tolist()
    assert all(of[row] == of[int(expected[row])] for row in of)
    assert sorted(set(of.values())) == list(range(len(set(of.values()))))
