"""What every registered encoder must obey: unit rows, a zero row for no text, an identity that tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_bert import write_tiny_bert
from zhiling.encoders.build import build_encoder
from zhiling.encoders.encoder import Encoder
from zhiling.errors import UsageError
from zhiling.pipeline import registry

ENCODERS = sorted(registry.table("encoder"))
TEXTS = ["where is my parcel ?", "我的快递在哪里？", "", "reset password", " \n\t", "😀", "card " * 200]
EMPTY = [2, 4]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two local models that differ in their weights."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models")
    write_tiny_bert(folder / "one", seed=1)
    write_tiny_bert(folder / "two", seed=2)
    return folder


@pytest.fixture(params=ENCODERS)
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """`use` and the settings that the encoder needs."""
    if request.param == "transformer":
        return {"use": "transformer", "path": str(request.getfixturevalue("models") / "one")}
    if request.param == "joined":
        return {"use": "joined", "parts": [{"use": "hashing"}, {"use": "hashing", "buckets": 64}]}
    return {"use": request.param}


def test_rows_have_length_one_and_empty_texts_zero(settings: dict[str, Any]) -> None:
    encoder = build_encoder(settings)
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths == pytest.approx([0 if row in EMPTY else 1 for row in range(len(TEXTS))], abs=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_company_and_order_change_no_vector(settings: dict[str, Any]) -> None:
    encoder = build_encoder(settings)
    vectors = encoder.encode(TEXTS)
    assert encoder.encode(TEXTS[::-1])[::-1] == pytest.approx(vectors, abs=1e-6)
    assert np.concatenate([encoder.encode([text]) for text in TEXTS]) == pytest.approx(vectors, abs=1e-6)
    assert encoder.encode(TEXTS + TEXTS)[len(TEXTS) :] == pytest.approx(vectors, abs=1e-6)


def test_equal_settings_give_one_identity(settings: dict[str, Any]) -> None:
    identity = build_encoder(settings).identity
    assert len(identity) == 32
    assert build_encoder(settings).identity == identity


def other(value: Any, models: Path | None) -> Iterator[Any]:
    """Values of a setting that may differ from the present one."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield from (value * 2, value + 1, max(1, value - 1))
    elif value is None:
        yield 16
    elif isinstance(value, str) and models is not None:
        yield str(models / "two")
    elif isinstance(value, list):
        yield [{"use": "hashing"}, {"use": "hashing", "buckets": 128}]


def test_every_setting_reaches_the_identity(settings: dict[str, Any], request: pytest.FixtureRequest) -> None:
    encoder = build_encoder(settings)
    models = request.getfixturevalue("models") if settings["use"] == "transformer" else None
    for field in type(encoder).model_fields:
        present = settings.get(field, encoder.model_dump(mode="json")[field])
        changed = next(
            (each for value in other(present, models) if (each := _with(settings, field, value))), None
        )
        assert changed is not None, f"setting {field!r} could not be set to another value"
        unmoved = (
            field in encoder.not_in_identity and field != "path"
        )  # another path holds another model here
        assert (changed.identity == encoder.identity) is unmoved, field


def _with(settings: dict[str, Any], field: str, value: Any) -> Encoder | None:
    try:
        return build_encoder({**settings, field: value})
    except UsageError:
        return None


def test_a_card_says_what_the_encoder_is(settings: dict[str, Any]) -> None:
    encoder = registry.load("encoder", settings["use"])
    assert encoder.name == settings["use"]
    assert encoder.__doc__
    assert len(encoder.__doc__.splitlines()[0]) < 120
    assert all(info.description for info in encoder.model_fields.values()), "every setting is described"
    assert all(encoder.not_in_identity.values()), "a reason stands beside every excluded setting"


def test_settings_go_to_json_and_back(settings: dict[str, Any]) -> None:
    encoder = build_encoder(settings)
    if settings["use"] != "joined":  # its parts name their encoders by `use`, outside of their own settings
        assert type(encoder).model_validate_json(encoder.model_dump_json()) == encoder
    assert build_encoder(settings) == encoder
