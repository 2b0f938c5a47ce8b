"""A table of the tokens that are seen trains what the whole table would; all others stay as they were."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.encoders.transformer import TransformerEncoder  # noqa: E402
from zhiling.training import TrainSettings, train  # noqa: E402
from zhiling.training.reading.seen_tokens import SeenTokens  # noqa: E402
from zhiling.training.trained import Trained  # noqa: E402

ROWS = labelled()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


def trained(tiny: str, share: float, monkeypatch: pytest.MonkeyPatch, **fields: object) -> Trained:
    monkeypatch.setattr("zhiling.training.reading.seen_tokens.SHARE", share)
    settings = {"features": "encoder", "backbone": tiny, "method": "full", "encoder_learning_rate": 1e-3}
    chosen = TrainSettings.model_validate({**settings, "epochs": 3, **fields})
    return train(chosen, (ROWS, ROWS), seed=2, evaluate=accuracy)


@pytest.mark.parametrize("method", ["full", "gradual"])
def test_it_trains_what_the_whole_table_would(
    tiny: str, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    fields = {"method": method, "layers": 1, "weight_decay": 0.0}
    whole, small = (trained(tiny, share, monkeypatch, **fields) for share in (0.0, 1.0))
    assert small.history == whole.history
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(small.model.state_dict()[name], weight), name


def test_tokens_that_training_never_saw_stay_and_are_still_read(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(tiny, 1.0, monkeypatch).model
    table = model.tuned_encoder().network.get_input_embeddings()
    before = TransformerEncoder(path=tiny).load().network.get_input_embeddings()
    assert type(table) is torch.nn.Embedding
    moved = (table.weight != before.weight).any(dim=1)
    assert moved.any()
    assert not moved.all()


def test_unseen_tokens_come_from_the_table() -> None:
    table = torch.nn.Embedding(6, 2, padding_idx=0)
    small = SeenTokens(table, torch.tensor([0, 2, 5]))
    with torch.no_grad():
        small.weight[1] = 9.0
    found = small(torch.tensor([[2, 3], [5, 0]]))
    assert found[0, 0].tolist() == [9.0, 9.0]
    assert torch.equal(found[0, 1], table.weight[3])
    found.sum().backward()
    assert table.weight.grad is None
    assert small.weight.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    assert small.whole().weight[2].tolist() == [9.0, 9.0]
