"""A local transformer as encoder: no network access, each text computed once per process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from zhiling.encoders.encoder import Encoder, Vectors, unit_rows
from zhiling.encoders.local_model import LocalModel, load_local_model, pool
from zhiling.llm.location import content_hash, model_folder
from zhiling.llm.pretrained import require

REMEMBERED_TEXTS = 100_000
"""Vectors kept per process, over all encoders: 150 MB at 384 columns. The oldest leave first."""

_memory: OrderedDict[tuple[str, str], NDArray[np.float32]] = OrderedDict()


class TransformerEncoder(Encoder):
    """Vectors of a transformer that lies in a local folder, pooled as the folder says (else the mean).

    Texts are computed in batches of like length. A vector may differ in the seventh digit with the
    texts that share its batch: compare cosines with a tolerance of 1e-6.
    """

    name: ClassVar[str] = "transformer"
    not_in_identity: ClassVar[dict[str, str]] = {
        "path": "the content of the files counts, wherever they lie",
        "batch_size": "it changes the speed, not the vectors",
    }

    path: str = Field(description="A folder with config.json, tokenizer and weights, or package:NAME/folder.")
    max_tokens: int | None = Field(
        default=None,
        ge=8,
        description="Longer texts are cut to this many tokens; unset: as many as the model was made for.",
    )
    batch_size: int = Field(default=64, ge=1, description="Texts per batch.")

    def content(self) -> dict[str, str]:
        """The hash of the model's files."""
        return {"files": content_hash(model_folder(self.path))}

    @property
    def dimension(self) -> int:
        """Columns of the network's last layer; loads the model."""
        return self.load().width

    def load(self) -> LocalModel:
        """The model, loaded once per process.

        Raises:
            MissingInput: the folder or the package is not there.
            MissingExtra: torch or transformers is not installed.
            DamagedFile: a file of the model cannot be read.
        """
        return load_local_model(model_folder(self.path))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts: float32, shape (n, dimension), rows of length 1 (0 for an empty text)."""
        identity = self.identity
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        known = {text: _memory[identity, text] for text in set(texts) if (identity, text) in _memory}
        new = [text for text in dict.fromkeys(texts) if text not in known and text.strip()]
        known.update(zip(new, self._compute(new), strict=True))
        for row, text in enumerate(texts):
            if text in known:
                vectors[row] = known[text]
        self._remember(identity, {text: known[text] for text in new})
        return vectors

    def _compute(self, texts: list[str]) -> Vectors:
        """Vectors of texts that are all new."""
        model = self.load()
        vectors = np.zeros((len(texts), model.width), dtype=np.float32)
        token_ids = model.tokenise(texts, min(self.max_tokens or model.max_tokens, model.max_tokens))
        by_length = sorted(range(len(texts)), key=lambda row: len(token_ids[row]))
        for start in range(0, len(texts), self.batch_size):
            rows = by_length[start : start + self.batch_size]
            vectors[rows] = _run(model, [token_ids[row] for row in rows])
        return unit_rows(vectors, f"encoder transformer ({self.path})")

    @staticmethod
    def _remember(identity: str, vectors: dict[str, NDArray[np.float32]]) -> None:
        """Keeps the newest vectors for the next call."""
        _memory.update({(identity, text): vector for text, vector in vectors.items()})
        while len(_memory) > REMEMBERED_TEXTS:
            _memory.popitem(last=False)


def _run(model: LocalModel, token_ids: list[list[int]]) -> NDArray[np.float32]:
    """Pooled vectors of one batch, not yet scaled."""
    torch = require("torch")
    inputs = model.pad(token_ids)
    with torch.inference_mode():
        states = model.network(**inputs).last_hidden_state
        return cast(NDArray[np.float32], pool(states, inputs["attention_mask"], model.pooling).numpy())
