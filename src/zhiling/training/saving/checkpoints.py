"""A model on disk: written whole or not at all, and refused with a reason when it is damaged."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import (
    load_file,  # pyright: ignore[reportUnknownVariableType]
    save_file,  # pyright: ignore[reportUnknownVariableType]
)

from zhiling.encoders.local_model import load_local_model, save_local_model
from zhiling.errors import DamagedFile, MissingInput, UsageError
from zhiling.pipeline.registry import load as load_component
from zhiling.training.examples import EpochRecord
from zhiling.training.fit import encoder_of, word_cut
from zhiling.training.methods.low_rank import with_saved_adapter
from zhiling.training.model import TaskModel
from zhiling.training.reading.backbones import FrozenEncoder, TunedEncoder
from zhiling.training.reading.features import FeaturePart, JoinedFeatures
from zhiling.training.reading.ngram_features import NgramFeatures
from zhiling.training.reading.ngram_tokens import NgramTokens
from zhiling.training.saving.model_card import CARD, model_card
from zhiling.training.saving.replaced import digest_of, files_of, replaced
from zhiling.training.saving.standard_heads import as_standard
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Task
from zhiling.training.trained import Trained

FORMAT = 1
CONFIG, WEIGHTS, ENCODER, ADAPTER = "config.json", "model.safetensors", "encoder", "adapter"
NO_ORIGIN: dict[str, object] = {"licences": {}, "templates": {}, "recipe": None}
"""What the card says where nobody told where the examples come from."""
_BROKEN = "Train the model again, or copy the folder again: it must hold all files that were saved."


def write(
    trained: Trained, folder: Path, metrics: Mapping[str, object], origin: Mapping[str, object]
) -> None:
    """Writes the model beside the folder first, and then puts it in the folder's place."""
    with replaced(folder) as new:
        _fill(trained, new, {"metrics": dict(metrics), "origin": NO_ORIGIN | dict(origin)})


def _fill(trained: Trained, folder: Path, told: Mapping[str, Mapping[str, object]]) -> None:
    """Writes all files of the model."""
    own = {name: value.contiguous() for name, value in trained.model.own_state().items()}
    save_file(own, folder / WEIGHTS)
    config: dict[str, Any] = {
        "format": FORMAT,
        "task": trained.task.name,
        "task_state": trained.task.state(),
        "settings": trained.settings.model_dump(mode="json"),
        "encoder": _encoder_identity(trained),
        "transformers": _save_encoder(trained, folder),
        "seed": trained.seed,
        "rows": trained.rows,
        "data": trained.data,
        "weights": {"tuned": trained.model.tuned_weights(), "all": trained.model.all_weights()},
        "history": [dataclasses.asdict(record) for record in trained.history],
        "unseen": dict(trained.unseen),
        "choice": dict(trained.choice),
        **told,
    }
    (folder / CARD).write_text(model_card(config, files_of(folder), own), encoding="utf-8")
    config["files"] = {name: digest_of(folder / name) for name in files_of(folder) if name != CARD}
    text = json.dumps(config, ensure_ascii=False, indent=2, allow_nan=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def _save_encoder(trained: Trained, folder: Path) -> str | None:
    """Writes a tuned encoder; the class of transformers that loads the model whole from it, if one does."""
    tuned = trained.model.tuned_encoder()
    if tuned is None:
        return None
    plain = tuned.model.network
    if tuned.method.merges:
        plain = tuned.method.plain(copy.deepcopy(tuned.network))
    standard = as_standard(trained.model, plain) if tuned.method.merges else None
    network = standard.network if standard else plain
    saved = dataclasses.replace(tuned.model, network=network, max_tokens=tuned.max_tokens)
    save_local_model(saved, folder / ENCODER)
    if not tuned.method.merges:
        cast(Any, tuned.network).save_pretrained(folder / ADAPTER)
    return standard.auto if standard else None


def _encoder_identity(trained: Trained) -> str | None:
    """The identity of a frozen encoder, which is not copied; a tuned one lies beside the weights."""
    if trained.settings.features == "ngrams" or trained.model.tuned_encoder():
        return None
    return encoder_of(trained.settings).identity


def read(folder: Path, backbone: str | None = None) -> Trained:
    """The model in a folder; what can go wrong stands at `zhiling.training.load`."""
    config = _config(folder)
    _refuse_changed_files(folder, config)
    try:
        settings = TrainSettings.model_validate(config["settings"])
        if backbone is not None:
            settings = settings.model_copy(update={"backbone": backbone})
        task: Task = load_component("task", config["task"]).restore(config["task_state"], settings)
        history = tuple(EpochRecord(**record) for record in config["history"])
        state = load_file(folder / WEIGHTS)
        model = _rebuild(folder, config, settings, task, state)
        seed, rows, data = int(config["seed"]), int(config.get("rows", 0)), str(config.get("data", ""))
        unseen, choice = config["unseen"], config.get("choice", {})
        return Trained(settings, task, model, seed, history, unseen, rows, data, choice)
    except (KeyError, TypeError, ValueError, ValidationError, RuntimeError, SafetensorError) as error:
        raise DamagedFile(
            f"the saved model does not fit together ({type(error).__name__}: {error})",
            place=str(folder),
            hint=_BROKEN,
        ) from error


def _rebuild(
    folder: Path,
    config: Mapping[str, Any],
    settings: TrainSettings,
    task: Task,
    state: Mapping[str, torch.Tensor],
) -> TaskModel:
    """The network with its saved weights."""
    parts: list[FeaturePart] = []
    if (folder / ENCODER).is_dir():
        local = load_local_model(folder / ENCODER)
        plain = settings.model_copy(update={"method": "full", "max_tokens": local.max_tokens})
        tuned = TunedEncoder(local, plain, words=task.level == "token", letters=task.reads_letters)
        if (folder / ADAPTER).is_dir():
            tuned.method = load_component("method", settings.method)()
            tuned.network = with_saved_adapter(tuned.network, folder / ADAPTER)
        parts.append(tuned)
    elif settings.features != "ngrams":
        parts.append(_frozen(settings, task, config["encoder"], folder))
    if settings.features != "encoder":
        prefix = f"features.parts.{len(parts)}."
        buckets = state[f"{prefix}buckets"]
        if task.level == "token":
            parts.append(NgramTokens(buckets, settings, word_cut(settings, parts), pairs=task.pairs))
        else:
            parts.append(NgramFeatures(buckets, state[f"{prefix}rarity"], settings))
    model = TaskModel(task, JoinedFeatures([*parts, *task.parts()]))
    model.load_state_dict({**model.state_dict(), **state})
    return model.eval()


def _frozen(settings: TrainSettings, task: Task, identity: str, folder: Path) -> FrozenEncoder:
    """The frozen encoder that the model was trained on, and no other.

    Raises:
        UsageError: the encoder's files differ from those of the training.
    """
    encoder = encoder_of(settings)
    if encoder.identity != identity:
        raise UsageError(
            f"the encoder at {settings.backbone!r} is not the one that this model was trained on",
            place=str(folder),
            hint="Give the folder of the right encoder as backbone, or train again on this one.",
        )
    return FrozenEncoder(encoder, pairs=task.pairs)


def _config(folder: Path) -> dict[str, Any]:
    """The model's configuration, of a format that is known."""
    file = folder / CONFIG
    if not file.is_file():
        raise MissingInput(
            f"no saved model here: {CONFIG} is missing", place=str(folder), hint="zhiling train writes one."
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedFile(f"no JSON: {error}", place=str(file), hint=_BROKEN) from error
    version = cast(dict[str, Any], config).get("format") if isinstance(config, dict) else None
    if version != FORMAT:
        raise DamagedFile(
            f"format {version!r}; this version of zhiling reads format {FORMAT}",
            place=str(file),
            hint="Use the version that wrote the model, or train it again.",
        )
    return cast(dict[str, Any], config)


def _refuse_changed_files(folder: Path, config: Mapping[str, Any]) -> None:
    """Compares every file with its digest.

    Raises:
        DamagedFile: a file is missing or was changed.
    """
    for name, digest in cast(dict[str, str], config.get("files", {})).items():
        file = folder / name
        if not file.is_file():
            raise DamagedFile("the file is missing", place=str(file), hint=_BROKEN)
        if digest_of(file) != digest:
            raise DamagedFile(
                "the file is not as it was saved: its digest differs", place=str(file), hint=_BROKEN
            )
