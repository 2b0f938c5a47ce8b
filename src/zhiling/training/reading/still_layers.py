"""Layers of an encoder that do not move: what they say of a text is computed once, and kept for all epochs.

With `top_layers` these are the embeddings and the layers below those that are tuned; where words are read
from a frozen encoder, all of them. They have no dropout: it would be noise that nothing above could undo.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from zhiling.training.methods.top_layers import layer_stack
from zhiling.training.running.precision import autocast

if TYPE_CHECKING:
    from zhiling.training.model import TaskModel
    from zhiling.training.reading.backbones import TokenInputs, TunedEncoder
    from zhiling.training.reading.features import Prepared
    from zhiling.training.settings import Precision

MOST_BYTES = 512 * 2**20
"""Of all states that are kept of one part; where they would take more, none are."""
TEXTS_AT_ONCE = 32


def still_layers(network: nn.Module) -> list[nn.Module]:
    """The layers, from below, that nothing moves and that read nothing that moves; bottom to top."""
    stacks = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    if not stacks or hasattr(network, "peft_config"):  # learnt prompts stand below all layers
        return []
    stack = list(layer_stack(network))
    inside = {id(weight) for layer in stack for weight in layer.parameters()}
    below = [
        weight for name, weight in network.named_parameters() if "embed" in name and id(weight) not in inside
    ]
    if any(weight.requires_grad for weight in below):
        return []
    moving = (place for place, layer in enumerate(stack) if _moves(layer))
    return stack[: next(moving, len(stack))]


def rest(network: nn.Module) -> None:
    """Puts what does not move, from below, in evaluation mode: it has no dropout."""
    layers = still_layers(network)
    if not layers:
        return
    table = cast(Any, network).get_input_embeddings()
    for module in network.modules():
        inner = set(module.modules())
        if table in inner and inner.isdisjoint(layers):  # the embeddings, with all that they add and scale
            module.eval()
    for layer in layers:
        layer.eval()


def _moves(module: nn.Module) -> bool:
    return any(weight.requires_grad for weight in module.parameters())


@contextmanager
def standing_in(layers: Sequence[nn.Module], states: torch.Tensor) -> Generator[None]:
    """The layers give these states, whatever they are given."""

    def known(*_: Any, **__: Any) -> torch.Tensor:
        return states

    for layer in layers:
        cast(Any, layer).forward = known
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def with_states(model: TaskModel, prepared: Prepared, precision: Precision) -> Prepared:
    """The same inputs with what the still layers of the encoder say of each window, where there is room."""
    tuned, tokens = model.tuned_encoder(), prepared.parts[0]
    if tuned is None or tuned.letters is not None:  # letters are learnt, and are read by all layers
        return prepared
    layers = still_layers(tuned.network)
    count = sum(len(window.ids) for window in cast("TokenInputs", tokens).windows)
    if not layers or 4 * count * tuned.model.width > MOST_BYTES:
        return prepared
    states = _states(tuned, layers[-1], cast("TokenInputs", tokens), precision)
    known = replace(cast(Any, tokens), states=states) if states else tokens
    return replace(prepared, parts=(known, *prepared.parts[1:]))


def _states(
    tuned: TunedEncoder, last: nn.Module, tokens: TokenInputs, precision: Precision
) -> tuple[torch.Tensor, ...]:
    """What a layer says of each window: (tokens, width); nothing where it says more than states."""
    found: list[object] = []
    windows = tokens.windows
    order = sorted(range(len(windows)), key=lambda number: len(windows[number].ids))
    places: dict[int, torch.Tensor] = {}
    handle = last.register_forward_hook(lambda _, __, said: found.append(said))
    training = tuned.training
    tuned.eval()
    try:
        with torch.no_grad(), autocast(precision):
            for start in range(0, len(order), TEXTS_AT_ONCE):
                some = order[start : start + TEXTS_AT_ONCE]
                tuned.run([windows[number] for number in some])
                said = found.pop()
                if not isinstance(said, torch.Tensor):
                    return ()
                places |= {n: said[row, : len(windows[n].ids)].clone() for row, n in enumerate(some)}
    finally:
        handle.remove()
        tuned.train(training)
    return tuple(places[number] for number in range(len(windows)))


def given(network: nn.Module, states: Sequence[torch.Tensor]) -> Any:
    """A context in which the still layers of the network say these states; none: they compute."""
    if not states:
        return nullcontext()
    return standing_in(still_layers(network), nn.utils.rnn.pad_sequence(list(states), batch_first=True))
