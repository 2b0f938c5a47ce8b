"""The encoder that tells what is near."""

from __future__ import annotations

from zhiling.encoders.build import build_encoder
from zhiling.encoders.encoder import Encoder
from zhiling.training.settings import TrainSettings


def encoder_of(settings: TrainSettings) -> Encoder:
    """The encoder of the section `prompting`, else the backbone, else hashed n-grams."""
    assert settings.prompting is not None
    told = settings.prompting.encoder
    if told is None:
        told = {"use": "transformer", "path": settings.backbone} if settings.backbone else {"use": "hashing"}
    return build_encoder(told)
