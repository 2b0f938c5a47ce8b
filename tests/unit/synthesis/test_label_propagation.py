"""Label propagation: utterances get the labels of a few sentences, English and Chinese alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.semi_supervised.seeds import Seeds, unit
from zhiling.errors import UsageError
from zhiling.pipeline.apply import apply
from zhiling.pipeline.fingerprint import row_keys
from zhiling.pipeline.step import Context
from zhiling.rows.schema import ROW, conform
from zhiling.synthesis.label_confidence import Guesses, HeldOut, believed, in_scope, places, right_at
from zhiling.synthesis.label_propagation import LabelPropagation

pytest.importorskip("sklearn")

WISHES = {
    "parcel": ("parcel", "delivery", "courier", "tracking", "shipped"),
    "refund": ("refund", "money", "account", "returned", "amount"),
    "包裹": ("包裹", "快递", "物流", "发货", "签收"),
    "退款": ("退款", "到账", "银行卡", "金额", "退回"),
}
TEXTS = [(wish, " ".join(words)) for wish, told in WISHES.items() for words in permutations(told, 3)]
DRAWN = np.random.default_rng(0).permutation(len(TEXTS)).tolist()
PER_WISH = 4


def drawn() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Four sentences of each wish, and the others."""
    counts: Counter[str] = Counter()
    seeds: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for place in DRAWN:
        counts[TEXTS[place][0]] += 1
        (seeds if counts[TEXTS[place][0]] <= PER_WISH else others).append(TEXTS[place])
    return seeds, others


SEEDS, OTHERS = drawn()
TRUTH = {text: wish for wish, text in OTHERS}


def frame(seeds: Iterable[tuple[str, str]], logs: Sequence[str]) -> pl.DataFrame:
    labelled = [
        (text, "classification", json.dumps({"labels": [wish] if wish else []})) for wish, text in seeds
    ]
    told = [*labelled, *((text, "utterance", None) for text in logs)]
    rows = [
        {"id": f"{number:032x}", "messages": [{"role": "user", "text": text}], "task": task, "target": truth}
        for number, (text, task, truth) in enumerate(told)
    ]
    names = ("id", "messages", "task", "target")
    own = conform(pl.DataFrame(rows, schema={name: ROW[name] for name in names}))
    return own.with_columns(
        row_keys(own, ["task", "target"]),
        pl.Series("n", range(len(rows)), dtype=pl.UInt32),
        pl.Series("group", [None] * len(rows), dtype=pl.String),
        pl.lit("s").alias("source"),
    )


def made(rows: pl.DataFrame, **fields: object) -> dict[str, tuple[list[str], list[str], float]]:
    """Text → labels, parents, confidence."""
    step = LabelPropagation.model_validate(fields)
    context = Context(step_id="p", seed=1, load_encoder=HashingEncoder)
    found = step.make(rows.filter(step.applies(rows)), context).rows
    told = found.select("messages", "target", "parents", "extra")
    return {
        messages[0]["text"]: (json.loads(truth)["labels"], parents, json.loads(extra)["confidence"])
        for messages, truth, parents, extra in told.iter_rows()
    }


def test_utterances_get_the_label_of_what_they_are_like() -> None:
    found = made(frame(SEEDS, list(TRUTH)))
    assert len(found) > 0.9 * len(TRUTH)
    assert all(labels == [TRUTH[text]] for text, (labels, _, _) in found.items())
    assert all(0.7 <= confidence <= 1 for _, _, confidence in found.values())
    assert {labels[0] for labels, _, _ in found.values()} == set(WISHES)


def test_what_is_labelled_is_replaced_and_the_rest_passes_by() -> None:
    logs = [*TRUTH, "xylophone zebra quartz", "", "  "]
    rows = frame(SEEDS, logs)
    step = LabelPropagation()
    outcome = apply(step, rows, Context(step_id="p", seed=1, load_encoder=HashingEncoder))
    assert outcome.made is not None
    verdicts = dict(outcome.ledger.select("n", "verdict").iter_rows())
    replaced = {n for n, verdict in verdicts.items() if verdict == "replaced"}
    parents = outcome.made["parents"].explode().to_list()
    assert sorted(replaced) == sorted(int(id, 16) for id in parents)
    assert not set(range(len(SEEDS))) & replaced, "labelled sentences stay"
    assert all(verdicts[n] == "passed" for n in range(rows.height) if n not in replaced)
    assert {rows.height - 1, rows.height - 2} <= set(verdicts) - replaced, "an empty text has no label"


def test_an_utterance_like_no_sentence_stays_one() -> None:
    strangers = [" ".join(words) for words in permutations(("xylophone", "zebra", "quartz", "vivid"), 3)]
    strangers += ["".join(words) for words in permutations(("钢琴", "斑马", "石英", "鲜明"), 3)]
    found = made(frame(SEEDS, [*TRUTH, *strangers]))
    assert len(set(found) & set(TRUTH)) > 0.8 * len(TRUTH)
    assert len(set(found) & set(strangers)) < 0.1 * len(strangers)


def test_sentences_that_no_label_fits_keep_utterances_like_them() -> None:
    strangers = [" ".join(words) for words in permutations(("weather", "sunny", "tomorrow", "cloudy"), 3)]
    seeds = [*SEEDS, *(("", text) for text in strangers[:4])]
    found = made(frame(seeds, [*TRUTH, *strangers[4:]]))
    assert {tuple(found[text][0]) for text in strangers[4:] if text in found} == {()}


def test_copies_become_one_row_and_known_texts_none() -> None:
    (wish, known), (text, *_) = SEEDS[0], TRUTH
    rows = frame(SEEDS, [text, *TRUTH, text, known])
    found = made(rows)
    copies = rows.filter(pl.col("messages").list.first().struct["text"] == text)["id"].to_list()
    assert len(copies) == 3
    assert found[text][:2] == ([TRUTH[text]], sorted(copies))
    assert known not in found, f"{wish} is known"


def test_bounds_hold() -> None:
    rows = frame(SEEDS, list(TRUTH))
    everything, few = made(rows), made(rows, per_label=3)
    assert Counter(labels[0] for labels, _, _ in few.values()) == dict.fromkeys(WISHES, 3)
    for text, (labels, _, confidence) in few.items():
        beyond = [each for each in everything.items() if each[1][0] == labels and each[0] not in few]
        assert all(confidence >= each[1][2] for each in beyond), text
    assert made(rows, confidence=1) == {}, "no finite number of sentences proves that"
    assert len(made(rows, sample=10)) <= 10


def test_neither_order_nor_batches_nor_ids_of_others_change_a_row() -> None:
    rows = frame(SEEDS, list(TRUTH))
    shuffled = rows.sample(fraction=1, shuffle=True, seed=3)
    assert made(rows) == made(shuffled)


@pytest.mark.parametrize(
    ("seeds", "logs", "words"),
    [
        ([], ["refund"], "two labels at least.*none"),
        (SEEDS[:1], ["refund"], "two labels at least.*only"),
        (SEEDS, [], "no row has task 'utterance'"),
        ([("parcel", "parcel"), ("退款", "退款")], ["refund"], "one sentence for each of 2 labels"),
        ([("parcel", "parcel"), ("退款", "退款")] * 2, ["refund"], "one sentence for each of 2 labels"),
    ],
    ids=["no label", "one label", "no utterance", "none held out", "copies"],
)
def test_what_cannot_spread_is_said(seeds: list[tuple[str, str]], logs: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(frame(seeds, logs))


def test_a_label_with_one_sentence_is_spread_too() -> None:
    single = next(seed for seed in SEEDS if seed[0] == "退款")
    seeds = [*(seed for seed in SEEDS if seed[0] != "退款"), single]
    found = made(frame(seeds, list(TRUTH)))
    right = [labels == [TRUTH[text]] for text, (labels, _, _) in found.items()]
    assert sum(right) > 0.9 * len(right)
    assert any(labels == ["退款"] for labels, _, _ in found.values())


def test_only_known_texts_make_nothing() -> None:
    assert made(frame(SEEDS, [text for _, text in SEEDS])) == {}


def test_places_are_the_mean_of_two_ranks() -> None:
    among = Guesses(np.array([0, 0, 1, 1]), np.array([0.9, 0.8, 0.3, 0.1]))
    assert places(among, among) == pytest.approx([0, (0.5 + 0.25) / 2, (0 + 0.5) / 2, (0.5 + 0.75) / 2])
    assert places(Guesses(np.array([2]), np.array([1.0])), among) == pytest.approx([0.5])


def test_the_anchors_of_the_probabilities() -> None:
    scores = np.linspace(0, 1, 50)
    alike = HeldOut(1 - scores, scores, np.ones(50, dtype=np.bool_))
    assert right_at(alike, np.array([0, 0.5, 1])) == pytest.approx(51 / 52)
    assert in_scope(alike, scores) == pytest.approx(1)
    strangers = np.concatenate([scores, np.zeros(150)])
    assert in_scope(alike, strangers)[-150:].max() < 0.1
    assert in_scope(alike, strangers)[1:50] == pytest.approx(1)
    few = HeldOut(alike.places[::4], scores[::4], alike.right[::4])
    assert in_scope(few, strangers) == pytest.approx(1), "so few tell nothing"


def test_a_single_text_far_from_all_seeds_gets_no_label() -> None:
    for stranger in ("xylophone zebra", "钢琴斑马"):
        assert stranger not in made(frame(SEEDS, [*TRUTH, stranger]), confidence=0)


def test_where_most_texts_are_of_unknown_classes_few_of_them_get_a_label() -> None:
    draws = np.random.default_rng(0)
    known = unit(draws.normal(size=(6, 24)).astype(np.float32))
    away = 0.4 * known[draws.integers(6, size=8)] + 0.6 * unit(draws.normal(size=(8, 24)).astype(np.float32))
    truth = np.repeat(np.arange(14), 60)
    middles = np.concatenate([known, unit(away.astype(np.float32))])
    vectors = unit((middles[truth] + 0.15 * draws.normal(size=(840, 24))).astype(np.float32))
    told = np.arange(840) % 60 < 15
    told[truth >= 6] = False
    found = believed(Seeds(vectors[told], truth[told], 6), vectors[~told])
    sure = found.confidence >= 0.7
    assert (found.numbers == truth[~told])[sure].mean() > 0.9, "without `in_scope` about two thirds"
    assert sure[truth[~told] < 6].mean() > 0.9


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 40))
def test_confidence_is_a_probability_and_nothing_is_lost(seed: int, classes: int, texts: int) -> None:
    draws = np.random.default_rng(seed)
    vectors = unit(draws.normal(size=(2 * classes + texts, 8)).astype(np.float32))
    vectors[-1] = 0
    known = 2 * classes
    found = believed(Seeds(vectors[:known], np.arange(known) % classes, classes), vectors[known:])
    assert found.numbers.shape == found.confidence.shape == (texts,)
    assert np.isfinite(found.confidence).all()
    assert found.confidence.min() >= 0
    assert found.confidence.max() <= 1
    assert found.confidence[-1] == 0


def test_ngrams_tell_labels_that_an_encoder_holds_for_equal() -> None:
    """An encoder that sees the length alone: character n-grams beside it find the labels."""

    class Lengths:
        identity = "lengths"

        def encode(self, texts: Sequence[str]) -> np.ndarray:
            angle = np.array([len(text) for text in texts])[:, None] / 50
            return np.hstack([np.cos(angle), np.sin(angle)]).astype(np.float32)

    right: dict[str, float] = {}
    rows = frame(SEEDS, list(TRUTH))
    for features in ("encoder", "both"):
        step = LabelPropagation.model_validate({"features": features, "confidence": 0})
        told = step.make(rows, Context(step_id="p", seed=1, load_encoder=Lengths)).rows
        labels = {
            m[0]["text"]: json.loads(t)["labels"][0] for m, t in told.select("messages", "target").rows()
        }
        right[features] = float(np.mean([TRUTH[text] == label for text, label in labels.items()]))
    assert right["both"] > 0.95 > 0.7 > right["encoder"]
