"""Words from n-grams: windows of our own, what two texts share, a tagger and a reader in two languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.evaluation.metrics.answers import ExactMatch  # noqa: E402
from zhiling.evaluation.metrics.entities import EntityF1  # noqa: E402
from zhiling.rows.templates.example import Turn  # noqa: E402
from zhiling.training import Examples, TrainSettings, load, text_input, train  # noqa: E402
from zhiling.training.reading.features import Segments  # noqa: E402
from zhiling.training.reading.ngram_tokens import NgramTokens  # noqa: E402
from zhiling.training.reading.word_grams import LONGEST_MATCH, TENTHS, shared_nearby, shared_runs  # noqa: E402
from zhiling.training.reading.word_windows import cut_words  # noqa: E402

ENTITIES = [
    ("请把快递送到北京路", [(6, 9, "地")]),
    ("快递到了上海路吗", [(4, 7, "地")]),
    ("密码忘了", []),
    ("send it to Long Street please", [(11, 22, "PLACE")]),
    ("is Short Street near", [(3, 15, "PLACE")]),
    ("I forgot the password", []),
]
PASSAGES = [
    ("张三在北京工作。李四在上海工作。", "张三在哪里工作？", "北京"),
    ("张三在北京工作。李四在上海工作。", "李四在哪里工作？", "上海"),
    ("Anna works in Rome. Bert works in Oslo.", "Where does Anna work?", "Rome"),
    ("Anna works in Rome. Bert works in Oslo.", "Where does Bert work?", "Oslo"),
]


def examples(inputs: list[tuple[Turn, ...]], targets: list[str]) -> Examples:
    size = len(inputs)
    return Examples(tuple(map(str, range(size))), tuple(inputs), tuple(targets), ("und",) * size)


def entity_rows() -> Examples:
    spans = [
        {"spans": [{"message": 0, "start": a, "end": b, "label": label} for a, b, label in found]}
        for _, found in ENTITIES
    ]
    targets = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in spans]
    return examples([text_input(text) for text, _ in ENTITIES] * 3, targets * 3)


def question_rows() -> Examples:
    inputs = [
        (Turn("document", passage, "context"), Turn("user", question, "question"))
        for passage, question, _ in PASSAGES
    ]
    targets = [
        json.dumps(
            {"answers": [{"text": answer, "place": {
                "message": 0, "start": passage.index(answer), "end": passage.index(answer) + len(answer)}}]},
            ensure_ascii=False, separators=(",", ":"),
        )
        for passage, _, answer in PASSAGES
    ]  # fmt: skip
    return examples(inputs * 4, targets * 4)


def settings(**fields: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {"features": "ngrams", "epochs": 30, "patience": 30, "learning_rate": 0.01, "batch_size": 6,
         "ngram_width": 32, "ngram_min_rows": 1, "dropout": 0.0, **fields}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "rows", "metric", "fields"),
    [
        ("ner", entity_rows(), EntityF1, {"crf": True}),
        ("ner", entity_rows(), EntityF1, {"max_tokens": 8}),
        ("extractive_qa", question_rows(), ExactMatch, {}),
    ],
)
def test_tasks_that_read_words_need_no_encoder(
    tmp_path: Path, task: str, rows: Examples, metric: type[EntityF1 | ExactMatch], fields: dict[str, object]
) -> None:
    model = train(settings(task=task, **fields), (rows, rows), seed=2, evaluate=metric().score)
    assert model.dev_score == 1
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.predict(rows.inputs).answers == model.predict(rows.inputs).answers


def test_both_features_stand_side_by_side_and_are_saved(tmp_path: Path) -> None:
    rows = entity_rows()
    chosen = settings(task="ner", features="both", backbone=str(write_tiny_bert(tmp_path / "tiny")))
    model = train(chosen, (rows, rows), seed=1, evaluate=EntityF1().score)
    assert model.dev_score == 1
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").predict(rows.inputs).answers == model.predict(rows.inputs).answers


def test_what_no_text_shares_is_refused() -> None:
    rows = examples([text_input("快递")], ['{"spans":[{"message":0,"start":0,"end":2,"label":"物"}]}'])
    with pytest.raises(UsageError, match="no n-gram occurs in 2 of the 1 training texts"):
        train(settings(task="ner", ngram_min_rows=2), (rows, rows), seed=0, evaluate=EntityF1().score)


def test_states_do_not_depend_on_what_shares_the_batch() -> None:
    sequences = [
        Segments("快递到了吗", "快递到了上海"),
        Segments("谁", "路"),
        Segments("", ""),
        Segments("a b", ""),
    ]
    part = NgramTokens.learn(sequences, settings(task="extractive_qa"), cut_words, pairs=True).eval()
    prepared = part.prepare(sequences)
    whole = part(prepared)
    assert whole.tokens is not None
    assert whole.tokens.shape[2] == whole.text.shape[1] == part.width
    for row in range(len(sequences)):
        alone = part(prepared.take([row]))
        assert alone.tokens is not None
        assert torch.allclose(alone.text[0], whole.text[row], atol=1e-6)
        assert torch.allclose(alone.tokens[0], whole.tokens[row, : alone.tokens.shape[1]], atol=1e-6)
    assert torch.isfinite(whole.tokens).all()


def test_a_shared_run_is_as_long_as_it_is_in_both_texts() -> None:
    (window,) = cut_words([Segments("lost my card", "where is my card ?")])[0]
    assert shared_runs(window.words).tolist() == [0, 2, 2, 0, 0, 2, 2, 0]
    (window,) = cut_words([Segments("在北京工作", "张三在北京工作了")])[0]
    assert shared_runs(window.words).tolist() == [5, 5, 5, 5, 5, 0, 0, 5, 5, 5, 5, 5, 0]
    assert LONGEST_MATCH == 5


def test_where_the_other_text_stands_nearby_is_told_in_tenths_of_the_most() -> None:
    passage = "，".join(["无关的话说了很久很久" * 3, "张三在北京工作", "别的事情也说了很久很久" * 3])
    (window,) = cut_words([Segments("张三在哪工作", passage)])[0]
    nearby = shared_nearby(window.words, shared_runs(window.words))
    answer = next(place for place, word in enumerate(window.words) if word.text == "北")
    assert nearby[answer] == nearby.max() == TENTHS
    assert nearby[-1] == 0
    (alone,) = cut_words([Segments("张三")])[0]
    assert shared_nearby(alone.words, shared_runs(alone.words)).tolist() == [0, 0]


@bounded(deadline=None)
@given(st.text(max_size=60), st.integers(8, 20))
def test_windows_hold_every_word_in_order_and_at_its_place(text: str, most: int) -> None:
    (windows,) = cut_words([Segments(text)], most)
    whole = cut_words([Segments(text)])[0][0].words
    held = {(word.start, word.end) for window in windows for word in window.words}
    assert held == {(word.start, word.end) for word in whole}
    for window in windows:
        assert len(window.words) <= most
        assert [word.token for word in window.words] == list(range(1, len(window.ids)))
        assert all(text[word.start : word.end] == word.text for word in window.words)


@bounded(deadline=None)
@given(st.text(max_size=30), st.text(max_size=80))
def test_of_a_pair_every_window_holds_the_first_text(first: str, second: str) -> None:
    (windows,) = cut_words([Segments(first, second)], 16)
    (heads,) = {tuple(word.text for word in window.words if word.segment == 0) for window in windows}
    assert heads == tuple(word.text for word in cut_words([Segments(first)])[0][0].words)[:8]
    held = {(word.start, word.end) for window in windows for word in window.words if word.segment == 1}
    assert held == {(word.start, word.end) for word in cut_words([Segments(second)])[0][0].words}
