"""A local reward model: one number for a conversation, higher where its last reply is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.llm.batches import batches, padded
from zhiling.llm.causal import BATCH_TOKENS, LONGEST_DEFAULT, context_of
from zhiling.llm.conversation import Asked, has_template, prompt_text, whole_text
from zhiling.llm.device import Device, Dtype, placed
from zhiling.llm.location import content_hash
from zhiling.llm.pretrained import read_pretrained, require

if TYPE_CHECKING:
    import torch

Encoded = dict[str, list[int]]
"""`input_ids`, and `token_type_ids` where the model tells question and reply apart by them."""


@dataclass(frozen=True)
class RewardModel:
    """A sequence classifier with one output, in evaluation mode; shared by all that read the same folder.

    Attributes:
        context: most tokens that the network was made for.
    """

    folder: Path
    tokenizer: Any
    network: torch.nn.Module
    context: int

    def width(self, max_tokens: int | None) -> int:
        """Most tokens of one input: as asked for, else LONGEST_DEFAULT; never more than the context."""
        return min(max_tokens or LONGEST_DEFAULT, self.context)

    def encode(self, conversation: Asked) -> Encoded | None:
        """The conversation as the model was trained to read it; None where its template does not take it.

        By the chat template; without one as a pair of question and reply, with the tokenizer's own marks.
        """
        if has_template(self.tokenizer):
            text = whole_text(self.tokenizer, conversation)
            if text is None:
                return None
            encoded = self.tokenizer(text, add_special_tokens=False, verbose=False)
        else:
            question = str(prompt_text(self.tokenizer, conversation.before)).rstrip("\n")
            encoded = self.tokenizer(question, conversation.reply, verbose=False)
        return {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}

    def score(
        self, conversations: Sequence[Encoded], *, batch_tokens: int = BATCH_TOKENS
    ) -> NDArray[np.float64]:
        """The reward of each conversation, in its order, float64; what the network gives for it alone.

        Values differ by about 1e-6 with what shares a batch. A network that reads its score at the last token
        before the padding is given batches only if it has a padding token, else one conversation at a time.
        """
        found = np.zeros(len(conversations))
        ids = [each["input_ids"] for each in conversations]
        filler = cast(Any, self.network).config.get_text_config().pad_token_id
        for places in batches(ids, batch_tokens if filler is not None else 1):
            found[places] = self._run([conversations[place] for place in places], filler or 0)
        return found

    def _run(self, batch: Sequence[Encoded], filler: int) -> NDArray[np.float64]:
        device = next(self.network.parameters()).device
        inputs = padded([each["input_ids"] for each in batch], filler, device)
        if "token_type_ids" in batch[0]:
            inputs["token_type_ids"] = padded([each["token_type_ids"] for each in batch], 0, device)[
                "input_ids"
            ]
        with require("torch").inference_mode():
            logits = self.network(**inputs).logits
        return cast(NDArray[np.float64], logits[:, 0].double().cpu().numpy())


def load_reward_model(folder: Path, device: Device = "cpu", dtype: Dtype = "float32") -> RewardModel:
    """The model in a folder, loaded once per process and content.

    Raises:
        MissingExtra: torch or transformers is not installed.
        MissingInput: the device is not there.
        DamagedFile: a file of the model cannot be read.
        UsageError: the folder holds no reward model, or the numbers are too slow here.
    """
    return _load(folder.resolve(), content_hash(folder), device, dtype)


@lru_cache(maxsize=2)
def _load(folder: Path, _content: str, device: Device, dtype: Dtype) -> RewardModel:
    """The model in a folder; the content hash is only there to notice changed files."""
    tokenizer, network, missing = read_pretrained(folder, "AutoModelForSequenceClassification")
    config = cast(Any, network).config
    if missing or config.num_labels != 1:
        wrong = f"the weights {', '.join(sorted(missing)[:3])} are not in the folder"
        raise UsageError(
            f"no reward model: {wrong if missing else f'it has {config.num_labels} outputs'}",
            place=str(folder),
            hint="name the folder of a sequence classifier that was trained with one output",
        )
    return RewardModel(folder, tokenizer, placed(network, device, dtype), context_of(config, tokenizer))
