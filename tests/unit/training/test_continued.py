"""An encoder that reads on: what it learns, what it leaves as it was, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.encoders.local_model import load_local_model  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.llm.location import content_hash  # noqa: E402
from zhiling.training.transfer.continued import read_on  # noqa: E402
from zhiling.training.transfer.continued_settings import Continued  # noqa: E402

TEXTS = [
    "where is my parcel ?", "reset the password", "how is the card lost", "my card is lost", "密码快递",
    "快递密码", "where is the parcel", "the password is lost ?",
]  # fmt: skip


def read(folder: Path, source: Path, seed: int = 1, **fields: object) -> list[float]:
    losses: list[float] = []
    settings = Continued.model_validate({"epochs": 8, "batch_size": 4, "learning_rate": 0.002, **fields})
    read_on(source, TEXTS, settings, folder, seed=seed, told=lambda _, loss: losses.append(loss))
    return losses


@pytest.mark.parametrize("objective", ["masked", "contrastive"])
def test_the_loss_falls_and_the_new_encoder_is_whole(tmp_path: Path, objective: str) -> None:
    source = write_tiny_bert(tmp_path / "tiny", pooling="cls_token")
    before = content_hash(source)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    losses = read(tmp_path / "new", source, objective=objective)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(losses) == 8
    assert min(losses[4:]) < losses[0]
    assert content_hash(source) == before
    new, old = load_local_model(tmp_path / "new"), load_local_model(source)
    assert (new.pooling, new.max_tokens, new.width) == (old.pooling, old.max_tokens, old.width)
    pairs = zip(new.network.parameters(), old.network.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_equal_seeds_give_equal_encoders(tmp_path: Path) -> None:
    source = write_tiny_bert(tmp_path / "tiny")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        read(tmp_path / name, source, seed, epochs=1)
    a, b, c = (content_hash(tmp_path / name) for name in "abc")
    assert a == b != c


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    source = write_tiny_bert(tmp_path / "tiny")
    with pytest.raises(UsageError, match="1 unlabelled texts to read on in; at least two"):
        read_on(source, ["one", "one", " "], Continued(), tmp_path / "new", seed=0, told=lambda *_: None)
    assert not (tmp_path / "new").exists()
