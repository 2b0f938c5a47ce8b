"""A prompted model on disk: settings, verbaliser and wordings as JSON, demonstrations as JSON Lines.

Encoder and language model stay where they are: their paths and hashes are kept, and other ones are refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
from pydantic import ValidationError

from zhiling.errors import DamagedFile, UsageError
from zhiling.rows.templates.example import Turn
from zhiling.training.examples import Examples
from zhiling.training.prompting.demonstrations import Demonstrations
from zhiling.training.prompting.identity import identities
from zhiling.training.prompting.prompted import Prompted
from zhiling.training.prompting.verbaliser import Verbaliser
from zhiling.training.prompting.way import Known
from zhiling.training.saving.replaced import digest_of, files_of, replaced
from zhiling.training.settings import TrainSettings

if TYPE_CHECKING:
    from zhiling.training.prompting.settings import PromptSettings

FORMAT = 1
CONFIG, DEMONSTRATIONS, WORDINGS = "config.json", "demonstrations.jsonl", "wordings"
_BROKEN = "Make the model again, or copy the folder again: it must hold all files that were saved."


def is_prompted(folder: Path) -> bool:
    """Whether the folder holds a model that answers from prompts."""
    return (folder / DEMONSTRATIONS).is_file()


def write(model: Prompted, folder: Path, told: Mapping[str, Mapping[str, object]]) -> None:
    """Writes the model beside the folder first, and then puts it in the folder's place."""
    with replaced(folder) as new:
        _fill(model, new, told)


def _fill(model: Prompted, folder: Path, told: Mapping[str, Mapping[str, object]]) -> None:
    pool = model.known.demonstrations.pool
    with (folder / DEMONSTRATIONS).open("wb") as lines:
        columns = (pool.ids, pool.as_lists(), pool.targets, pool.languages)
        for id, turns, target, language in zip(*columns, strict=True):
            row = {"id": id, "messages": turns, "target": target, "language": language}
            lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    own = model.known.settings.own_wordings
    for number, path in enumerate(own):
        (folder / WORDINGS).mkdir(exist_ok=True)
        shutil.copyfile(path, folder / WORDINGS / f"{number}.yaml")
    config = {
        "format": FORMAT,
        "task": model.known.task,
        "settings": model.settings.model_dump(mode="json"),
        "verbaliser": model.known.verbaliser.state(),
        "numbers": list(model.known.numbers),
        "answers": list(model.known.answers),
        "identities": identities(model.settings),
        "seed": model.seed,
        "dev_score": model.dev_score if model.dev_score == model.dev_score else None,  # NaN is no JSON
        "history": [],
        "unseen": dict(model.unseen),
        **told,
        "files": {name: digest_of(folder / name) for name in files_of(folder)},
    }
    text = json.dumps(config, ensure_ascii=False, indent=2, allow_nan=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def read(folder: Path, backbone: str | None = None) -> Prompted:
    """The model in a folder; `backbone` says where its encoder lies now.

    Raises:
        DamagedFile: a file is missing, was changed, or does not fit the others.
        UsageError: the encoder or the language model is another one.
        MissingInput: one of them is not there.
    """
    config = _config(folder)
    try:
        settings = _settings(folder, config, backbone)
        asked = cast("PromptSettings", settings.prompting)
        known = Known(
            config["task"], asked, Verbaliser.restore(config["verbaliser"]),
            Demonstrations(_pool(folder), asked, int(config["seed"])),
            tuple(config["numbers"]), tuple(config["answers"]),
        )  # fmt: skip
        score = float("nan") if config["dev_score"] is None else float(config["dev_score"])
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise DamagedFile(
            f"the saved model does not fit together ({type(error).__name__}: {error})",
            place=str(folder),
            hint=_BROKEN,
        ) from error
    _refuse_others(folder, settings, config["identities"])
    return Prompted(settings, int(config["seed"]), known, score, config["unseen"])


def _config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        version, files = config["format"], dict(config["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"cannot be read: {error}", place=str(file), hint=_BROKEN) from error
    if version != FORMAT:
        raise DamagedFile(f"format {version!r}; {FORMAT} is read", place=str(file), hint=_BROKEN)
    for name, digest in files.items():
        if not (folder / name).is_file() or digest_of(folder / name) != digest:
            raise DamagedFile("it is missing or not as it was saved", place=str(folder / name), hint=_BROKEN)
    return config


def _settings(folder: Path, config: Mapping[str, Any], backbone: str | None) -> TrainSettings:
    settings = TrainSettings.model_validate(config["settings"])
    asked = settings.prompting
    assert asked is not None
    own = sorted((folder / WORDINGS).glob("*.yaml"), key=lambda file: int(file.stem))
    asked = asked.model_copy(update={"own_wordings": tuple(map(str, own))})
    if backbone is not None:
        asked = asked.model_copy(update={"encoder": None})
    return settings.model_copy(
        update={"prompting": asked, **({"backbone": backbone} if backbone is not None else {})}
    )


def _pool(folder: Path) -> Examples:
    rows = [orjson.loads(line) for line in (folder / DEMONSTRATIONS).read_bytes().splitlines()]
    return Examples(
        tuple(row["id"] for row in rows),
        tuple(tuple(Turn(*turn) for turn in row["messages"]) for row in rows),
        tuple(row["target"] for row in rows),
        tuple(row["language"] for row in rows),
    )


def _refuse_others(folder: Path, settings: TrainSettings, known: Mapping[str, str]) -> None:
    for name, identity in identities(settings).items():
        if known.get(name) != identity:
            raise UsageError(
                f"the {'language model' if name == 'model' else name} is not the one it was made with",
                place=str(folder), hint="Put the right one there, or make the model again.",
            )  # fmt: skip
