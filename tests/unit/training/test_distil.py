"""Teachers and their student: what is learnt, from whom, and what a killed training keeps."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as rounds
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from tests.unit.training.test_ner import rows, score, settings  # noqa: E402
from zhiling.training import TrainSettings, load, train  # noqa: E402
from zhiling.training.heads.crf import Crf  # noqa: E402
from zhiling.training.objectives import cross_entropy, soft_cross_entropy  # noqa: E402
from zhiling.training.running.distil import Teachers  # noqa: E402
from zhiling.training.running.resume import Checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


# --- the losses ------------------------------------------------------------------------------------------


def test_soft_cross_entropy_has_its_anchors() -> None:
    beliefs = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    assert soft_cross_entropy(torch.zeros(2, 3), beliefs).item() == pytest.approx(math.log(3))
    entropy = (0.5 * math.log(2) + 0.5 * math.log(4)) / 2
    assert soft_cross_entropy(beliefs.clamp(min=1e-9).log(), beliefs).item() == pytest.approx(
        entropy, abs=1e-6
    )
    logits, tags = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    hard = torch.nn.functional.one_hot(tags, 3).float()
    assert soft_cross_entropy(logits, hard).item() == pytest.approx(
        cross_entropy(logits, tags).item(), abs=1e-6
    )


def test_its_gradient_is_p_minus_q_over_n() -> None:
    logits, beliefs = torch.randn(4, 3, requires_grad=True), torch.rand(4, 3).softmax(1)
    soft_cross_entropy(logits, beliefs).backward()
    assert torch.allclose(logits.grad, (logits.softmax(1) - beliefs).detach() / 4, atol=1e-6)


def crf(tags: int) -> Crf:
    made = Crf(tags)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


@rounds(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**20))
def test_a_crf_taught_by_certain_beliefs_has_the_loss_of_the_tags(tags: int, words: int, seed: int) -> None:
    torch.manual_seed(seed)
    made, emissions = crf(tags), torch.randn(3, words, tags)
    counts = torch.randint(1, words + 1, (3,))
    truth = torch.randint(tags, (3, words))
    inside = (torch.arange(words) < counts.unsqueeze(1)).unsqueeze(2)
    certain = torch.nn.functional.one_hot(truth, tags) * inside.float()
    assert torch.allclose(
        made.loss_to(emissions, certain, counts), made.loss(emissions, truth, counts), atol=1e-4
    )


def test_marginals_are_what_all_sequences_together_say() -> None:
    torch.manual_seed(0)
    made, emissions, counts = crf(2), torch.randn(1, 3, 2), torch.tensor([2])
    paths = [(one, other) for one in (0, 1) for other in (0, 1)]
    likely = [math.exp(-made.loss(emissions, torch.tensor([[*path, 0]]), counts).item()) for path in paths]
    wanted = [
        [sum(p for p, path in zip(likely, paths, strict=True) if path[word] == tag) for tag in (0, 1)]
        for word in (0, 1)
    ]
    found = made.marginals(emissions, counts)
    assert torch.allclose(found[0, :2], torch.tensor(wanted), atol=1e-5)
    assert found[0, 2].tolist() == [0, 0]
    with torch.inference_mode():
        assert torch.allclose(made.marginals(emissions, counts), found)


# --- teachers and student --------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"crf": True}])
def test_a_student_learns_and_is_saved_alone(tiny: Path, tmp_path: Path, fields: dict[str, object]) -> None:
    known = rows(2)
    chosen = settings(tiny, distil=2, **fields)
    student = train(chosen, (known, known), seed=1, evaluate=score)
    assert student.dev_score == 1
    student.save(tmp_path / "model")
    assert load(tmp_path / "model").predict(known.inputs).answers == student.predict(known.inputs).answers
    plain = train(settings(tiny, **fields), (known, known), seed=1, evaluate=score)
    assert plain.history[0].loss != student.history[0].loss  # the teachers were heard


def test_beliefs_are_the_mean_of_teachers_of_different_seeds(tiny: Path) -> None:
    known = rows(1)
    plain = settings(tiny, epochs=2)
    inputs = train(plain, (known, known), seed=0, evaluate=score).model.prepare(known.inputs)
    seeds: list[int] = []

    def fit(chosen: TrainSettings, seed: int, kept: Checkpoint | None) -> object:
        seeds.append(seed)
        assert chosen.distil == 0
        assert kept is None
        return train(chosen, (known, known), seed=seed, evaluate=score)

    found = Teachers(settings(tiny, epochs=2, distil=2), 3).beliefs(inputs, fit)  # pyright: ignore[reportArgumentType]
    assert seeds == [4000, 4001]
    each = [
        train(plain, (known, known), seed=seed, evaluate=score).model.beliefs(inputs, 8) for seed in seeds
    ]
    for told, one, other in zip(found, *each, strict=True):
        assert torch.allclose(told, (one + other) / 2, atol=1e-6)
        assert torch.allclose(told.sum(1), torch.ones(len(told)), atol=1e-5)


def test_teachers_that_are_trained_are_not_trained_again(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhiling.training.running.resume.SECONDS_BETWEEN", 0.0)
    known = rows(1)
    chosen = settings(tiny, epochs=2, distil=1)
    whole = train(chosen, (known, known), seed=1, evaluate=score)
    heard: list[int] = []

    def stop(_: object, __: object) -> float:
        heard.append(1)
        if len(heard) == 4:
            raise KeyboardInterrupt
        return 0.5

    state = (tmp_path / "state.pt", "key")
    with pytest.raises(KeyboardInterrupt):
        train(chosen, (known, known), seed=1, evaluate=stop, checkpoint=state)
    assert len(list(tmp_path.glob("*.pt"))) == 2
    epochs: list[float] = []
    again = train(
        chosen, (known, known), seed=1, evaluate=lambda *_: 0.5, checkpoint=state,
        progress=lambda record: epochs.append(record.loss),
    )  # fmt: skip
    assert len(epochs) == 1
    assert [record.loss for record in again.history] == pytest.approx(
        [record.loss for record in whole.history]
    )
    assert [file.name for file in tmp_path.glob("*.pt")] == ["state.pt"]


def test_other_tasks_cannot_be_taught() -> None:
    with pytest.raises(ValueError, match="distil=3 is for task ner"):
        TrainSettings(features="ngrams", distil=3)
