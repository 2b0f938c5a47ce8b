"""Entities: tags from spans and back, long texts in windows, a model that learns them in two languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.evaluation.metrics.entities import EntityF1  # noqa: E402
from zhiling.training import Examples, TrainSettings, load, text_input, train  # noqa: E402
from zhiling.training.heads.crf import Crf  # noqa: E402
from zhiling.training.reading.features import Window, Word  # noqa: E402
from zhiling.training.reading.letters import shape_of  # noqa: E402
from zhiling.training.tasks.ner import CONTRADICTORY, UNCOVERED, entities, merge  # noqa: E402

PATTERNS = [
    ("where is my {parcel|THING}", 3),
    ("reset the {password|THING}", 3),
    ("{Lost|NAME} is the card", 3),
    ("my card is {Lost|NAME}", 3),
    ("{密码|物} 快", 3),
    ("快递 {密码|物}", 3),
]


def example(pattern: str) -> tuple[str, str]:
    text, spans = "", []
    for number, piece in enumerate(pattern.replace("}", "{").split("{")):
        surface, _, label = piece.partition("|")
        if number % 2:
            spans.append({"message": 0, "start": len(text), "end": len(text) + len(surface), "label": label})
        text += surface
    return text, json.dumps({"spans": spans}, separators=(",", ":"), ensure_ascii=False)


def rows(copies: int = 4) -> Examples:
    pairs = [example(pattern) for _ in range(copies) for pattern, _ in PATTERNS]
    size = len(pairs)
    return Examples(
        tuple(map(str, range(size))), tuple(text_input(text) for text, _ in pairs),
        tuple(target for _, target in pairs), ("und",) * size,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def settings(tiny: Path, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "task": "ner", "features": "encoder", "backbone": str(tiny), "method": "full", "epochs": 12,
            "learning_rate": 0.02, "encoder_learning_rate": 0.002, "batch_size": 8, "dropout": 0.0, **fields,
        }
    )  # fmt: skip


def score(truth: object, predicted: object) -> float:
    return EntityF1().score(truth, predicted)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("fields", [{}, {"crf": True}, {"method": "frozen", "epochs": 30}])
def test_entities_are_learnt_and_a_saved_model_finds_the_same(
    tiny: Path, tmp_path: Path, fields: dict[str, object]
) -> None:
    known = rows()
    model = train(settings(tiny, **fields), (known, known), seed=1, evaluate=score)
    assert model.dev_score == 1
    model.save(tmp_path / "model")
    again = load(tmp_path / "model").predict(known.inputs)
    assert again.answers == model.predict(known.inputs).answers
    assert all(0 <= each <= 1 for each in again.best_scores)
    assert model.predict([""]).answers == ('{"spans":[]}',)


def test_a_type_that_training_lacked_and_an_entity_without_a_token_are_counted(tiny: Path) -> None:
    known = rows(1)
    spans = [(2, 3, "THING"), (0, 2, "NEW")]
    odd = json.dumps({"spans": [{"start": start, "end": end, "label": label} for start, end, label in spans]})
    dev = Examples(("a",), (text_input("my card"),), (odd,), ("en",))
    model = train(settings(tiny, epochs=1), (known, dev), seed=1, evaluate=score)
    assert model.unseen == {"NEW": 1, UNCOVERED: 1}


def test_texts_that_training_tags_in_two_ways_are_counted_and_learnt_from(tiny: Path) -> None:
    known = rows(1)
    texts = ("my card", "my card", "密码 快", "my card")
    card, code = example("my {card|THING}")[1], example("{密码|物} 快")[1]
    other = Examples(
        (*known.ids, "a", "b", "c", "d"), (*known.inputs, *map(text_input, texts)),
        (*known.targets, card, '{"spans":[]}', code, card), (*known.languages, *("und",) * 4),
    )  # fmt: skip
    model = train(settings(tiny, epochs=1), (other, known), seed=1, evaluate=score)
    assert model.unseen == {CONTRADICTORY: 3}


def test_an_entity_behind_the_first_window_is_found(tiny: Path) -> None:
    known = rows()
    model = train(settings(tiny, crf=True), (known, known), seed=1, evaluate=score)
    text = "how " * 150 + "where is my parcel"
    (answer,) = model.predict([text]).answers
    spans = json.loads(answer)["spans"]
    assert {"message": 0, "start": len(text) - 6, "end": len(text), "label": "THING"} in spans


def test_places_count_from_their_message(tiny: Path) -> None:
    known = rows()
    model = train(settings(tiny), (known, known), seed=1, evaluate=score)
    turn = text_input("where is my parcel")[0]
    (answer,) = model.predict([(turn, turn._replace(role="assistant", text="my parcel"), turn)]).answers
    assert [(span["message"], span["start"]) for span in json.loads(answer)["spans"]] == [(0, 12), (2, 12)]


def test_a_word_in_two_windows_counts_where_it_stands_inside() -> None:
    words = [Word(n, n, n + 1, 0, "x") for n in range(6)]
    first, second = Window([], [], tuple(words[:4])), Window([], [], tuple(words[2:]))
    merged = merge([(first, [1, 1, 1, 2], [0.5] * 4), (second, [4, 4, 4, 4], [0.5] * 4)])
    assert [word.tag for word in merged] == [1, 1, 1, 4, 4, 4]


def test_an_entity_may_go_on_from_nothing_and_a_new_one_begins_beside_another() -> None:
    words = merge(
        [(Window([], [], tuple(Word(n, n, n + 1, 0, "x") for n in range(5))), [2, 2, 1, 0, 4], [1.0] * 5)]
    )
    assert entities(words) == [(0, 2, 0), (2, 3, 0), (4, 5, 1)]


def test_an_entity_does_not_go_from_one_message_into_the_next() -> None:
    words = merge(
        [(Window([], [], tuple(Word(n, n, n + 1, 0, "x") for n in range(4))), [1, 2, 2, 2], [1.0] * 4)]
    )
    assert entities(words, (0, 2)) == [(0, 2, 0), (2, 4, 0)]


def test_crf_is_a_distribution_over_all_paths_and_decodes_the_best() -> None:
    generator = torch.Generator().manual_seed(3)
    crf = Crf(3)
    for weight in crf.parameters():
        torch.nn.init.normal_(weight, generator=generator)
    emissions = torch.randn(2, 4, 3, generator=generator)
    counts = torch.tensor([4, 2])
    for row, count in enumerate(counts.tolist()):
        paths = torch.cartesian_prod(*[torch.arange(3)] * count)
        padded = torch.nn.functional.pad(paths, (0, 4 - count))
        losses = crf.loss(emissions[row].expand(len(paths), -1, -1), padded, torch.full((len(paths),), count))
        assert torch.exp(-losses).sum().item() == pytest.approx(1, abs=1e-5)
        assert crf.decode(emissions, counts)[row] == paths[losses.argmin()].tolist()


def test_without_scores_every_path_is_as_likely() -> None:
    loss = Crf(5).loss(torch.zeros(1, 3, 5), torch.zeros(1, 3, dtype=torch.int64), torch.tensor([3]))
    assert loss.item() == pytest.approx(3 * torch.log(torch.tensor(5.0)).item())


def test_shapes_tell_case_digits_and_marks_apart_and_chinese_has_no_case() -> None:
    words = ["", "us", "Us", "A", "US", "iPhone", "42", "B2", "-", "北京"]
    assert [shape_of(word) for word in words] == [0, 1, 2, 2, 3, 4, 5, 6, 7, 1]
