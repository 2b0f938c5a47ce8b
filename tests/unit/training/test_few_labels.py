"""Few labels: every way to learn from rows without a label, the choice among them, and the model it gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from numpy.typing import NDArray  # noqa: E402
from pydantic import ValidationError  # noqa: E402

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.encoders.semi_supervised.seeds import Seeds, unit  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.training import Examples, TrainSettings, load, text_input, train  # noqa: E402
from zhiling.training.few_labels.contrastive import Contrast, ProxyHead  # noqa: E402
from zhiling.training.few_labels.head import fit_head  # noqa: E402
from zhiling.training.few_labels.plan import WAYS, Plan  # noqa: E402
from zhiling.training.objectives import cross_entropy, supervised_contrastive  # noqa: E402

ROWS = labelled(4)
SEEDS = ROWS.take(range(12))
"""Each phrase once: four seeds a label."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


def settings(tiny: str, **few: object) -> TrainSettings:
    section = {"backbone": tiny, "features": "encoder", "encoder_learning_rate": 1e-3, "few_labels": few}
    return TrainSettings.model_validate(section)


def clusters(sizes: tuple[int, ...], seed: int = 0) -> tuple[Seeds, NDArray[np.float32], NDArray[np.int64]]:
    """One seed for each of some tight clusters, far from its middle, and the others of the cluster."""
    draws = np.random.default_rng(seed)
    middles = unit(draws.normal(size=(len(sizes), 24)).astype(np.float32))
    truth = np.repeat(np.arange(len(sizes)), sizes)
    rows = unit((middles[truth] + 0.08 * draws.normal(size=(len(truth), 24))).astype(np.float32))
    starts = unit((middles + 0.22 * draws.normal(size=middles.shape)).astype(np.float32))
    return Seeds(starts, np.arange(len(sizes)), len(sizes)), rows, truth


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sizes", [(40, 40, 40), (90, 25, 8)], ids=["even", "skewed"])
def test_rows_without_a_label_are_taken_for_what_they_are(way: str, sizes: tuple[int, ...]) -> None:
    seeds, rows, truth = clusters(sizes)
    taught = WAYS[way](seeds, rows)
    assert (taught.numbers == truth).mean() > 0.9
    assert taught.weights.min() >= 0
    assert taught.weights.max() <= 1
    again = WAYS[way](seeds, rows)
    assert np.array_equal(again.numbers, taught.numbers)
    assert (fit_head(seeds, rows, taught).answers(rows) == truth).mean() > 0.9


def test_a_row_that_no_seed_reaches_counts_nothing() -> None:
    seeds, rows, _ = clusters((30, 30))
    strangers = np.zeros((20, 24), dtype=np.float32)
    taught = WAYS["propagation"](seeds, np.concatenate([rows, strangers]))
    assert taught.weights[:60].min() > 0
    assert taught.weights[60:].max() == 0


def test_supervised_contrastive_anchors() -> None:
    positives = torch.tensor([[True, True, False, False], [False, False, True, False]])
    even = supervised_contrastive(torch.zeros(2, 4), positives)
    assert even.item() == pytest.approx(np.log(4), abs=1e-6)
    spread = torch.tensor([[50.0, 50, 0, 0], [0, 0, 100, 0]])
    assert supervised_contrastive(spread, positives).item() == pytest.approx(np.log(2) / 2, abs=1e-6)
    logits, single = torch.randn(2, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([2, 0])
    one = supervised_contrastive(logits, torch.nn.functional.one_hot(single, 4).bool())
    assert one.item() == pytest.approx(cross_entropy(logits, single).item(), rel=1e-6)


def test_in_a_batch_every_text_is_compared_with_proxies_and_mates_but_not_with_itself(tiny: str) -> None:
    from zhiling.training.reading.features import Encoded, Prepared

    head = ProxyHead(4, 2)
    with torch.no_grad():
        head.proxies.copy_(torch.eye(2, 4))
    texts = torch.tensor([[2.0, 0, 0, 0], [3.0, 0, 0, 0], [0, 5.0, 0, 0]])
    logits = head(Encoded(texts), Prepared((), np.arange(4)))
    assert logits.shape == (3, 5)
    assert torch.isinf(logits[:, 2:].diagonal()).all()
    assert logits[0, 0].item() == pytest.approx(20)
    task = Contrast(("a", "b"), settings(tiny))
    right, wrong = task.loss(logits, [0, 0, 1]), task.loss(logits, [0, 1, 1])
    assert right.item() < 1.2
    assert wrong.item() > right.item() + 5


@pytest.mark.parametrize("way", ["none", *WAYS])
@pytest.mark.parametrize("contrastive", [False, True])
def test_every_plan_learns_saves_itself_and_repeats(
    tiny: str, way: str, contrastive: bool, tmp_path: Path
) -> None:
    fixed = settings(tiny, contrastive=contrastive, names=False, unlabelled=way, epochs=12)
    seeds = replace(SEEDS, unlabelled=ROWS.inputs[12:])
    first, second = (train(fixed, (seeds, ROWS), seed=3, evaluate=accuracy) for _ in range(2))
    assert first.dev_score > 0.6
    assert np.array_equal(first.predict(ROWS.texts).scores, second.predict(ROWS.texts).scores)
    assert first.choice["scores"] == {}
    assert first.settings.method == ("full" if contrastive else "frozen")
    first.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.choice == first.choice
    assert again.predict(ROWS.texts).scores == pytest.approx(first.predict(ROWS.texts).scores, abs=1e-6)


def test_what_is_chosen_is_what_scored_best_and_each_score_is_kept(tiny: str) -> None:
    seeds = replace(SEEDS, unlabelled=ROWS.inputs[12:])
    model = train(settings(tiny, contrastive=False), (seeds, ROWS), seed=1, evaluate=accuracy)
    scores = model.choice["scores"]
    assert isinstance(scores, dict)
    assert {"seeds only", "names", "propagation", "names + propagation"} <= set(scores)
    assert model.choice["held_out"] == len(SEEDS)
    best = max(scores.values())
    assert model.choice["plan"] == "seeds only" or scores[model.choice["plan"]] == best
    told = model.choice["unlabelled"]
    assert isinstance(told, dict)
    assert told["rows"] == 36


def test_without_a_gain_on_held_out_seeds_it_is_seeds_only(tiny: str) -> None:
    unrelated = tuple(text_input(text) for text in ("where", "is", "?", "the", "how", "my", "快", "码"))
    copies = ROWS.take([*range(12), *range(12)])  # every held-out seed has its copy: nothing can be better
    copies = replace(copies, ids=tuple(map(str, range(24))), unlabelled=unrelated)
    model = train(settings(tiny, contrastive=False), (copies, ROWS), seed=0, evaluate=accuracy)
    assert model.choice["plan"] == "seeds only"
    plain = settings(tiny, contrastive=False, names=False, unlabelled="none")
    bare = train(plain, (replace(copies, unlabelled=()), ROWS), seed=0, evaluate=accuracy)
    assert np.array_equal(model.predict(ROWS.texts).scores, bare.predict(ROWS.texts).scores)


def test_with_one_seed_a_label_names_and_seeds_hold_each_other_out(tiny: str, tmp_path: Path) -> None:
    one = replace(ROWS.take([0, 4, 8]), unlabelled=ROWS.inputs[12:])
    names = tmp_path / "names.yaml"
    names.write_text("card: [lost card]\nparcel: {en: my parcel, zh: 快递}\npassword: reset password\n")
    chosen_by = settings(tiny, contrastive=False, label_names=str(names))
    model = train(chosen_by, (one, ROWS), seed=0, evaluate=accuracy)
    assert model.choice["held_out"] == 3 + 4
    alone = train(settings(tiny, names=False), (one, ROWS), seed=0, evaluate=accuracy)
    assert alone.choice["plan"] == "seeds only"
    assert "no seed can be held out" in str(alone.choice["why"])


def test_rows_without_a_label_are_drawn_and_counted(tiny: str) -> None:
    seeds = replace(SEEDS, unlabelled=ROWS.inputs[12:])
    few = settings(tiny, contrastive=False, names=False, unlabelled="propagation", unlabelled_rows=5)
    told = train(few, (seeds, ROWS), seed=0, evaluate=accuracy).choice["unlabelled"]
    assert isinstance(told, dict)
    assert told["rows"] == 5
    assert sum(told["weight"].values()) <= 5


def test_what_does_not_fit_is_refused(tiny: str) -> None:
    with pytest.raises(ValidationError, match="features: encoder"):
        TrainSettings.model_validate({"backbone": tiny, "features": "both", "few_labels": {}})
    with pytest.raises(ValidationError, match="leave one of the two out"):
        TrainSettings.model_validate(
            {"backbone": tiny, "features": "encoder", "few_labels": {}, "prompting": {}}
        )
    with pytest.raises(UsageError, match="dev part has no examples"):
        train(settings(tiny), (SEEDS, Examples((), (), (), ())), seed=0, evaluate=accuracy)


def test_plans_have_titles() -> None:
    assert Plan().title == "seeds only"
    assert Plan(contrastive=True, names=True, unlabelled="mixture").title == "contrastive + names + mixture"
