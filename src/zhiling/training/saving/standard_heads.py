"""Models as plain transformers knows them: which of ours are one, and how one is made of ours.

A task that reads words has a linear layer on the states of tokens, which is what transformers has: such a
model is one as it is. A task that reads whole texts has its own way to one vector, so it is one only where
`head: standard` asked for the way of the encoder's architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from zhiling.errors import UsageError
from zhiling.llm.pretrained import read_pretrained, require, silent
from zhiling.training.heads.words import WordStates
from zhiling.training.tasks.extractive_qa import SpanHead
from zhiling.training.tasks.ner import TagHead
from zhiling.training.tasks.regression import Regression
from zhiling.training.tasks.text_task import LinearHead

if TYPE_CHECKING:
    from zhiling.encoders.local_model import LocalModel
    from zhiling.training.model import TaskModel

SEQUENCE, TOKENS, SPANS = (
    f"AutoModelFor{kind}" for kind in ("SequenceClassification", "TokenClassification", "QuestionAnswering")
)


@dataclass(frozen=True)
class Opened:
    """A network for whole texts without its last linear layer.

    Attributes:
        place: where that layer was.
        width: columns of what it would read.
    """

    network: nn.Module
    place: str
    width: int


def open_network(model: LocalModel) -> Opened:
    """The architecture's own network for whole texts, opened where a head of ours goes.

    Raises:
        UsageError: transformers has none for this architecture, or it does not end in one linear layer.
    """
    transformers = require("transformers")
    if type(cast(Any, model.network).config) not in transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise UsageError(
            f"transformers has no head for whole texts on a {type(model.network).__name__}",
            place=str(model.folder), hint="Set head: own.",
        )  # fmt: skip
    _, network, _ = read_pretrained(model.folder, SEQUENCE)
    name, last = _last(network)
    network.set_submodule(name, nn.Identity())
    return Opened(network, name, last.in_features)


def _last(network: nn.Module) -> tuple[str, nn.Linear]:
    """The layer that gives one number a label: the last linear one behind the encoder.

    Raises:
        UsageError: there is none.
    """
    known = cast(Any, network)
    modules: dict[str, nn.Module] = dict(known.named_modules())
    behind = [
        (name, module)
        for name, module in modules.items()
        if isinstance(module, nn.Linear)
        and module.out_features == known.config.num_labels
        and not name.startswith(f"{known.base_model_prefix}.")
    ]
    if not behind:
        raise UsageError(
            f"a {type(network).__name__} does not end in one linear layer", hint="Set head: own."
        )
    return behind[-1]


@dataclass(frozen=True)
class Standard:
    """A model that plain transformers loads whole.

    Attributes:
        auto: the class of transformers that loads it.
        network: with the head.
    """

    auto: str
    network: nn.Module


def as_standard(model: TaskModel, encoder: nn.Module) -> Standard | None:
    """The model as one of transformers; None where it is none.

    Args:
        model: ours.
        encoder: its encoder as any program can run it: what the method added is merged.
    """
    tuned, head = model.tuned_encoder(), model.head
    if tuned is None or tuned.letters is not None or len(model.features.parts) > 1:
        return None
    if tuned.opened and isinstance(head, LinearHead):
        encoder.set_submodule(tuned.opened, _last_layer(model, head.linear))
        _name_classes(model, cast(Any, encoder))
        return Standard(SEQUENCE, encoder)
    if isinstance(head, TagHead) and head.crf is None and _plain(head.states):
        tags = ["O", *(f"{mark}-{label}" for label in cast(Any, model.task).labels for mark in "BI")]
        return _on_tokens(TOKENS, encoder, head.linear, tags)
    if isinstance(head, SpanHead) and _plain(head.states):
        return _on_tokens(SPANS, encoder, head.linear, ["begins", "ends"])
    return None


def _plain(states: nn.Module) -> bool:
    """Whether states of words are the encoder's own."""
    return isinstance(states, WordStates) and states.letters is None


def _last_layer(model: TaskModel, linear: nn.Linear) -> nn.Linear:
    """Our last layer; of a regression one that gives the number as it is, not scaled."""
    task, last = model.task, nn.Linear(linear.in_features, linear.out_features)
    last.load_state_dict(linear.state_dict())
    if isinstance(task, Regression):
        with torch.no_grad():
            last.weight.mul_(task.deviation)
            last.bias.mul_(task.deviation).add_(task.mean)
    return last


def _name_classes(model: TaskModel, network: Any) -> None:
    """Says what the network's numbers stand for, and of which kind they are."""
    kind = {"multi_label": "multi_label_classification", "regression": "regression"}
    network.config.problem_type = kind.get(model.task.name, "single_label_classification")
    _name_labels(network.config, list(model.task.classes) or [model.task.name])
    network.num_labels = network.config.num_labels


def _on_tokens(auto: str, encoder: nn.Module, linear: nn.Linear, labels: list[str]) -> Standard | None:
    """The architecture's network for tokens with our weights; None where transformers has another kind."""
    transformers = require("transformers")
    config = cast(Any, encoder).config.__class__.from_dict(cast(Any, encoder).config.to_dict())
    _name_labels(config, labels)
    try:
        with silent(transformers):
            network = getattr(transformers, auto).from_config(config)
    except ValueError:
        return None  # an architecture for which transformers has no such network
    network.base_model.load_state_dict(encoder.state_dict(), strict=False)
    try:
        _, last = _last(network)
    except UsageError:
        return None
    last.load_state_dict(linear.state_dict())
    return Standard(auto, network) if _alike(network, encoder, linear) else None


def _alike(network: Any, encoder: Any, linear: nn.Linear) -> bool:
    """Whether the network says of a few tokens what our layer says of the encoder's states."""
    training = network.training, encoder.training
    network.eval()
    encoder.eval()
    with torch.inference_mode():
        ids = torch.arange(min(8, int(encoder.config.vocab_size))).unsqueeze(0)
        expected = linear.eval()(encoder(input_ids=ids).last_hidden_state)
        told = network(input_ids=ids)
    found = told.logits if "logits" in told else torch.stack([told.start_logits, told.end_logits], dim=2)
    network.train(training[0])
    encoder.train(training[1])
    return found.shape == expected.shape and torch.allclose(found, expected, atol=1e-5)


def _name_labels(config: Any, labels: list[str]) -> None:
    """Says in a configuration what each number stands for."""
    names: Mapping[int, str] = dict(enumerate(labels))
    config.id2label = dict(names)
    config.label2id = {name: number for number, name in names.items()}
