"""Training as a whole: every method and kind of features learns, repeats itself, and says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.encoders.transformer import TransformerEncoder  # noqa: E402
from zhiling.errors import StepFailed, UnknownName, UsageError  # noqa: E402
from zhiling.training import EpochRecord, Examples, Predictions, TrainSettings, train  # noqa: E402
from zhiling.training.fit import build_features  # noqa: E402
from zhiling.training.methods.top_layers import layer_stack  # noqa: E402
from zhiling.training.reading.backbones import TunedEncoder  # noqa: E402
from zhiling.training.reading.features import Segments  # noqa: E402
from zhiling.training.running.loop import bucketed_batches  # noqa: E402
from zhiling.training.tasks.classification import Classification  # noqa: E402

ROWS = labelled()
NGRAMS = {"features": "ngrams", "epochs": 8}
WAYS = [
    {"features": "ngrams"},
    {"features": "encoder"},
    {"features": "both"},
    {"features": "both", "method": "top_layers", "layers": 1},
    {"features": "encoder", "method": "full", "encoder_learning_rate": 1e-3},
    {"features": "encoder", "method": "full", "encoder_learning_rate": 1e-3, "layer_decay": 0.8},
    {"features": "encoder", "method": "gradual", "layers": 1, "encoder_learning_rate": 1e-3},
    *(
        {"features": "encoder", "method": method, "encoder_learning_rate": 1e-2, "epochs": 20}
        for method in ("bitfit", "lora", "dora", "ia3", "prompt", "p_tuning", "prefix")
    ),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


def settings(tiny: str, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate({"backbone": tiny, "learning_rate": 0.02, **fields})


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_every_way_learns_and_repeats_itself(tiny: str, way: dict[str, object]) -> None:
    chosen = settings(tiny, **way)
    first, second = (train(chosen, (ROWS, ROWS), seed=3, evaluate=accuracy) for _ in range(2))
    assert first.dev_score > 0.6
    assert first.history == second.history
    assert np.array_equal(first.predict(ROWS.texts).scores, second.predict(ROWS.texts).scores)
    assert accuracy(ROWS.targets, first.predict(ROWS.texts, batch_size=5).answers) == first.dev_score


def test_another_seed_gives_another_model_and_the_callers_randomness_stays(tiny: str) -> None:
    torch.default_generator.manual_seed(11)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first, second = (
        train(settings(tiny, **NGRAMS), (ROWS, ROWS), seed=seed, evaluate=accuracy) for seed in (1, 2)
    )
    assert not np.array_equal(first.predict(ROWS.texts).scores, second.predict(ROWS.texts).scores)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_predictions_are_probabilities_in_order(tiny: str) -> None:
    model = train(settings(tiny, **NGRAMS), (ROWS, ROWS), seed=0, evaluate=accuracy)
    texts = [*ROWS.texts, "", "ωψ"]
    together = model.predict(texts)
    assert together.classes == ("card", "parcel", "password")
    assert together.scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert together.best_scores == pytest.approx(together.scores.max(axis=1))
    alone = [model.predict([text]) for text in texts]
    assert np.concatenate([each.scores for each in alone]) == pytest.approx(together.scores, abs=1e-5)
    assert model.predict([]).scores.shape == (0, 3)
    assert model.predict([]).best_scores.shape == (0,)


def test_the_best_epoch_is_restored_and_patience_ends_the_training(tiny: str) -> None:
    scores = iter([0.2, 0.9, 0.5, 0.5, 0.5, 0.5])
    seen: list[EpochRecord] = []
    kept: list[Sequence[str]] = []

    def evaluate(truth: Sequence[str], predicted: Sequence[str]) -> float:
        kept.append(predicted)
        return next(scores)

    chosen = settings(tiny, features="ngrams", patience=2, epochs=6)
    model = train(chosen, (ROWS, ROWS), seed=0, evaluate=evaluate, progress=seen.append)
    assert [(record.epoch, record.best) for record in seen] == [(1, True), (2, True), (3, False), (4, False)]
    assert model.history == tuple(seen)
    assert model.dev_score == 0.9
    assert list(model.predict(ROWS.texts).answers) == list(kept[1])


def test_of_equal_epochs_the_last_is_kept(tiny: str) -> None:
    scores = iter([0.4, 0.5, 0.3, 0.5, 0.4, 0.4])
    seen: list[EpochRecord] = []
    chosen = settings(tiny, features="ngrams", patience=2, epochs=6)
    train(chosen, (ROWS, ROWS), seed=0, evaluate=lambda truth, told: next(scores), progress=seen.append)
    assert [record.epoch for record in seen if record.best] == [1, 2, 4]
    assert seen[-1].epoch == 6


def test_only_the_chosen_layers_move(tiny: str) -> None:
    chosen = settings(tiny, features="encoder", method="top_layers", layers=1, epochs=1)
    model = train(chosen, (ROWS, ROWS), seed=0, evaluate=accuracy).model
    tuned = model.tuned_encoder()
    before = dict(TransformerEncoder(path=tiny).load().network.named_parameters())
    moved = {
        name for name, weight in tuned.network.named_parameters() if not torch.equal(weight, before[name])
    }
    assert moved
    assert all(name.startswith("encoder.layer.1.") for name in moved)
    assert len(layer_stack(tuned.network)) == 2


def test_an_untuned_network_in_the_loop_gives_the_frozen_vectors(tiny: str) -> None:
    task = Classification.learn(ROWS, settings(tiny))
    frozen, tuned = (
        build_features(settings(tiny, features="encoder", method=method), task, ROWS).eval()
        for method in ("frozen", "full")
    )
    texts = ["where is my parcel", "", "快递"]
    with torch.inference_mode():
        one, other = (
            part(part.prepare([[Segments(text)] for text in texts])).text for part in (frozen, tuned)
        )
    assert torch.allclose(one, other, atol=1e-5)
    assert isinstance(tuned.parts[0], TunedEncoder)


def test_dev_labels_unseen_in_training_are_counted(tiny: str) -> None:
    dev = replace(ROWS, targets=("new", "other", "new", *ROWS.targets[3:]))
    model = train(settings(tiny, **NGRAMS), (ROWS, dev), seed=0, evaluate=accuracy)
    assert model.unseen == {"new": 2, "other": 1}
    assert model.dev_score <= 45 / 48


EMPTY = Examples((), (), (), ())


@pytest.mark.parametrize(
    ("train_rows", "dev_rows", "message"),
    [
        (EMPTY, ROWS, "the train part has no examples"),
        (ROWS, EMPTY, "the dev part has no examples"),
        (replace(ROWS, targets=("card",) * len(ROWS)), ROWS, r"1 label\(s\): \['card'\].*at least two"),
    ],
)
def test_parts_that_teach_nothing_are_refused(
    train_rows: Examples, dev_rows: Examples, message: str, tiny: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(settings(tiny, **NGRAMS), (train_rows, dev_rows), seed=0, evaluate=accuracy)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"task": "classificaton"}, UnknownName, "did you mean 'classification'"),
        ({"method": "ful"}, UnknownName, "did you mean 'full'"),
        ({"method": "top_layers", "layers": 3}, UsageError, r"layers=3 is more than the encoder has \(2\)"),
        ({"features": "ngrams", "ngram_min_rows": 999}, UsageError, "no n-gram occurs in 999 of the 48"),
    ],
)
def test_settings_that_cannot_be_carried_out(
    tiny: str, fields: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(settings(tiny, **fields), (ROWS, ROWS), seed=0, evaluate=accuracy)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": "both"}, "needs a backbone"),
        ({"features": "ngrams", "method": "full"}, "'ngrams' has none"),
        ({"features": "ngrams", "epoch": 3}, "epoch"),
        ({"features": "ngrams", "dropout": 1.0}, "less than 1"),
    ],
)
def test_settings_that_do_not_fit_together(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSettings.model_validate(fields)


def test_a_loss_that_is_not_finite_stops_the_training(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classification, "loss", lambda self, outputs, targets: outputs.sum() * float("nan"))
    with pytest.raises(StepFailed, match=r"the loss became nan.*\n.*Lower learning_rate"):
        train(settings(tiny, **NGRAMS), (ROWS, ROWS), seed=0, evaluate=accuracy)


def test_a_dev_score_that_is_not_finite_stops_the_training(tiny: str) -> None:
    with pytest.raises(StepFailed, match="the dev score became nan"):
        train(settings(tiny, **NGRAMS), (ROWS, ROWS), seed=0, evaluate=lambda truth, predicted: float("nan"))


def test_examples_are_columns_of_one_length() -> None:
    with pytest.raises(UsageError, match="one length"):
        Examples(("1",), (), (), ())


def test_batches_hold_each_row_once_and_like_lengths() -> None:
    lengths = [number % 7 for number in range(100)]
    batches = list(bucketed_batches(lengths, 8))
    assert sorted(row for batch in batches for row in batch) == list(range(100))
    spread = [max(lengths[row] for row in batch) - min(lengths[row] for row in batch) for batch in batches]
    assert max(spread) <= 1


def test_one_text_stands_for_no_predictions() -> None:
    nothing = Predictions.of([], ("a", "b"))
    assert len(nothing) == 0
