"""What answers from prompts depend on beside their settings: models, wordings, files; as hashes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from zhiling.llm.location import content_hash, model_folder
from zhiling.pipeline.fingerprint import file_digest
from zhiling.rows.schema import digest
from zhiling.training.prompting.encoder import encoder_of
from zhiling.training.settings import TrainSettings


def identities(settings: TrainSettings) -> dict[str, str]:
    """Hashes of the encoder and of the language model, as far as they are asked."""
    asked = settings.prompting
    assert asked is not None
    found = {"model": content_hash(model_folder(asked.model))} if asked.model else {}
    if asked.model is None or (asked.demonstrations and asked.choose == "nearest"):
        found["encoder"] = encoder_of(settings).identity
    return found


def prompt_identity(settings: TrainSettings) -> dict[str, object] | None:
    """All hashes; None where nothing is asked from prompts."""
    asked = settings.prompting
    if asked is None:
        return None
    files = [file_digest(Path(file)) for file in asked.files()]
    return {**identities(settings), "files": files, "wordings": _wordings() if asked.model else None}


def _wordings() -> str:
    """Of the wordings that come with the package, and of the words that they share."""
    folder = resources.files("zhiling.rows.templates")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name
    )
    return digest(*(f"{file.name}\n{file.read_text('utf-8')}".encode() for file in files))
