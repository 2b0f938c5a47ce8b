"""Saved models in plain transformers: whole, with equal logits, or as an encoder; what their card says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.rows.target import CONTEXT, QUESTION, Answers, Entities, Labels, Place, Span, spelled  # noqa: E402
from zhiling.rows.target import Answer as RowAnswer  # noqa: E402
from zhiling.rows.templates.example import Turn  # noqa: E402
from zhiling.training import Examples, TrainSettings, load, text_input, train  # noqa: E402
from zhiling.training.trained import Trained  # noqa: E402

ROWS = labelled(2)
TEXTS = ["where is my lost card ?", "reset the password", "我的 快 递"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def saved(tiny: Path, folder: Path, rows: Examples, **fields: object) -> Trained:
    settings = TrainSettings.model_validate(
        {
            "features": "encoder", "backbone": str(tiny), "method": "full", "epochs": 2,
            "encoder_learning_rate": 1e-3, **fields,
        }
    )  # fmt: skip
    model = train(settings, (rows, rows), seed=1, evaluate=accuracy)
    model.save(folder, {"accuracy": 0.5})
    return model


def plain(folder: Path, auto: str, *texts: str):
    """What transformers alone says of texts (or of one pair)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "encoder")
    network, report = getattr(transformers, auto).from_pretrained(
        folder / "encoder", output_loading_info=True
    )
    assert not report["missing_keys"]
    with torch.inference_mode():
        return network.eval()(**tokenizer(*texts, return_tensors="pt")), network.config


@pytest.mark.parametrize("method", ["full", "top_layers", "frozen", "lora"])
def test_a_standard_head_loads_whole(tiny: Path, tmp_path: Path, method: str) -> None:
    model = saved(tiny, tmp_path / "model", ROWS, head="standard", method=method)
    expected = model.predict(TEXTS)
    for text, scores, answer in zip(TEXTS, expected.scores, expected.answers, strict=True):
        told, config = plain(tmp_path / "model", "AutoModelForSequenceClassification", text)
        assert told.logits.softmax(dim=1)[0].numpy() == pytest.approx(scores, abs=1e-5)
        assert config.id2label[int(told.logits.argmax())] == answer
    again = load(tmp_path / "model").predict(TEXTS)
    assert np.allclose(again.scores, expected.scores, atol=1e-6)
    assert "AutoModelForSequenceClassification" in (tmp_path / "model" / "README.md").read_text("utf-8")


def test_several_labels_and_numbers_load_whole(tiny: Path, tmp_path: Path) -> None:
    some = Examples(
        ROWS.ids, ROWS.inputs, tuple(spelled(Labels(labels=[each])) for each in ROWS.targets), ROWS.languages
    )
    model = saved(tiny, tmp_path / "labels", some, head="standard", task="multi_label")
    told, config = plain(tmp_path / "labels", "AutoModelForSequenceClassification", TEXTS[0])
    assert config.problem_type == "multi_label_classification"
    assert told.logits.sigmoid()[0].numpy() == pytest.approx(model.predict(TEXTS[:1]).scores[0], abs=1e-5)
    lengths = tuple(repr(float(len(text))) for text in ROWS.texts)
    numbers = Examples(ROWS.ids, ROWS.inputs, lengths, ROWS.languages)
    model = saved(tiny, tmp_path / "numbers", numbers, head="standard", task="regression")
    told, config = plain(tmp_path / "numbers", "AutoModelForSequenceClassification", TEXTS[0])
    assert config.problem_type == "regression"
    assert float(told.logits) == pytest.approx(float(model.predict(TEXTS[:1]).answers[0]), abs=1e-4)


def test_entities_load_whole_where_the_encoder_alone_is_read(tiny: Path, tmp_path: Path) -> None:
    text = "where is my card ?"
    target = spelled(Entities(spans=[Span(start=12, end=16, label="THING")]))
    rows = Examples(("1", "2"), (text_input(text),) * 2, (target,) * 2, ("en",) * 2)
    model = saved(tiny, tmp_path / "model", rows, task="ner", letters=False, epochs=30)
    told, config = plain(tmp_path / "model", "AutoModelForTokenClassification", text)
    assert list(config.id2label.values()) == ["O", "B-THING", "I-THING"]
    prepared = model.model.prepare([text_input(text)])
    with torch.inference_mode():
        expected = model.model(prepared).scores[0]
    first = [word.token for word in prepared.windows[0][0].words]
    assert torch.allclose(told.logits[0, first], expected, atol=1e-5)
    saved(tiny, tmp_path / "letters", rows, task="ner")
    card = (tmp_path / "letters" / "README.md").read_text("utf-8")
    assert "AutoModelForTokenClassification" not in card
    assert "`head.states`" in card


def test_answers_in_a_passage_load_whole(tiny: Path, tmp_path: Path) -> None:
    passage, question = "my parcel is lost", "where is my parcel ?"
    turns = (Turn("document", passage, CONTEXT), Turn("user", question, QUESTION))
    place = Place(message=0, start=13, end=17)
    target = spelled(Answers(answers=[RowAnswer(text="lost", place=place)]))
    rows = Examples(("1", "2"), (turns,) * 2, (target,) * 2, ("en",) * 2)
    model = saved(tiny, tmp_path / "model", rows, task="extractive_qa")
    told, _ = plain(tmp_path / "model", "AutoModelForQuestionAnswering", question, passage)
    prepared = model.model.prepare([turns])
    with torch.inference_mode():
        expected = model.model(prepared)
    for place, word in enumerate(prepared.windows[0][0].words, start=1):
        if word.segment == 1:
            assert told.start_logits[0, word.token] == pytest.approx(
                float(expected.begins[0, place]), abs=1e-5
            )
            assert told.end_logits[0, word.token] == pytest.approx(float(expected.ends[0, place]), abs=1e-5)


def test_another_head_leaves_the_encoder_to_transformers(tiny: Path, tmp_path: Path) -> None:
    model = saved(tiny, tmp_path / "model", ROWS)
    told, _ = plain(tmp_path / "model", "AutoModel", TEXTS[0])
    prepared = model.model.prepare([text_input(TEXTS[0])])
    with torch.inference_mode():
        expected = model.model.features(prepared).tokens
    assert torch.allclose(told.last_hidden_state, expected, atol=1e-5)
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert config["transformers"] is None
    assert config["rows"] == len(ROWS)
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    for told in ("AutoModel.from_pretrained", "`head.linear`", config["data"], "许可证", '"password"'):
        assert told in card


def test_the_card_names_licences_and_templates(tiny: Path, tmp_path: Path) -> None:
    model = saved(tiny, tmp_path / "model", ROWS)
    origin = {"licences": {"Apache-2.0": 20, "CC-BY-4.0": 4}, "templates": {"plain.en": 24}, "recipe": {}}
    model.save(tmp_path / "model", {"accuracy": 0.5}, origin)
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    for told in ('license: ["apache-2.0", "cc-by-4.0"]', "| CC-BY-4.0 | 4 |", "plain.en"):
        assert told in card
    (tmp_path / "model" / "README.md").write_text("mine", encoding="utf-8")
    load(tmp_path / "model")  # a card may be changed


@pytest.mark.parametrize(
    "fields", [{"features": "both"}, {"task": "ner"}, {"task": "choice"}], ids=lambda fields: str(fields)
)
def test_a_standard_head_is_refused_where_there_is_none(tiny: Path, fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="head='standard' is for features: encoder and the tasks"):
        TrainSettings.model_validate(
            {"features": "encoder", "backbone": str(tiny), "head": "standard", **fields}
        )


def test_what_cannot_be_merged_has_no_standard_head(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'prefix' cannot be merged.*\n.*head: own"):
        saved(tiny, tmp_path / "model", ROWS, head="standard", method="prefix")
