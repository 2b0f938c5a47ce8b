"""What to train and how, as one validated section of a recipe; needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from zhiling.errors import did_you_mean
from zhiling.llm.location import located
from zhiling.training.few_labels.settings import FewLabelSettings
from zhiling.training.prompting.settings import PromptSettings
from zhiling.training.transfer.continued_settings import Continued

Features = Literal["encoder", "ngrams", "both"]
Precision = Literal["auto", "fp32", "bf16"]
STANDARD_TASKS = ("classification", "multi_label", "regression")
"""Those of whole texts whose head transformers has."""
OPTIMISERS = {
    name.lower(): name
    for name in (
        "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "ASGD", "NAdam", "RAdam", "RMSprop",
        "SGD",
    )
}  # fmt: skip
"""Our name → that of torch.optim."""
REFUSED_OPTIMISERS = {
    "lbfgs": "it asks for the loss several times a step, each time of all rows",
    "muon": "it moves matrices alone, and an encoder has vectors too",
    "rprop": "it has no weight decay, and the signs that it follows change with each batch",
    "sparseadam": "it takes sparse gradients alone",
}
"""Those that torch has too, and why they cannot be had."""


Schedule = Literal["linear", "cosine", "constant"]


class TrainSettings(BaseModel):
    """The defaults are chosen for some 1,000 short texts in two languages over two dozen labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(default="classification", description="What the head predicts.")
    features: Features = Field(
        default="both", description="The encoder's vector, hashed character n-grams, or both joined."
    )
    backbone: str | None = Field(
        default=None,
        description="The encoder: a folder, or package:NAME/folder. Not needed with features: ngrams.",
    )
    method: str = Field(
        default="frozen",
        description="What of the encoder is tuned: frozen, top_layers, gradual, full, bitfit, lora, dora, "
        "ia3, prefix, prompt or p_tuning.",
    )
    continued: Continued | None = Field(
        default=None,
        description="Let the encoder read on in unlabelled texts before the task is learnt; its settings.",
    )
    head: Literal["own", "standard"] = Field(
        default="own",
        description="Of whole texts. own: a linear layer on the encoder's pooled states. standard: as "
        "transformers has it for the encoder's architecture, so that it loads the saved model whole.",
    )
    layers: int = Field(
        default=2,
        ge=1,
        description="With method top_layers: how many layers are tuned, from the top; with gradual: how many "
        "more each epoch.",
    )
    rank: int = Field(
        default=8, ge=1, description="With method lora or dora: columns of the narrow matrices."
    )
    virtual_tokens: int = Field(
        default=16, ge=1, description="With method prefix, prompt or p_tuning: how many vectors are learnt."
    )
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Each layer of the encoder moves at this share of the rate of the layer above.",
    )
    prompting: PromptSettings | None = Field(
        default=None,
        description="Answer from prompts, demonstrations and label names: nothing is tuned, and settings of "
        "the tuning have no effect.",
    )
    few_labels: FewLabelSettings | None = Field(
        default=None,
        description="Learn from few labelled rows, label names, and rows without a label: what of it helps "
        "is found on held-out rows. With task classification and features: encoder.",
    )
    replies: bool = Field(
        False, description="Learn from each row's reply too, as a text of its own under the same label."
    )
    epochs: int = Field(default=20, ge=1, description="Most passes over the training examples.")
    patience: int = Field(
        default=4, ge=1, description="Epochs that do not reach the best dev score before training stops."
    )
    batch_size: int = Field(default=32, ge=1, description="Examples per step.")
    learning_rate: float = Field(default=0.003, gt=0, description="Of the head and the n-gram vectors.")
    encoder_learning_rate: float = Field(default=5e-5, gt=0, description="Of the encoder's tuned layers.")
    warmup: float = Field(
        default=0.1, ge=0, le=1, description="Share of all steps in which the rates grow from 0."
    )
    schedule: Schedule = Field(
        default="linear", description="How the rates go on after the warm-up: down to 0, or not."
    )
    accumulate: int = Field(
        default=1, ge=1, description="Micro-batches per step: less memory, the same gradient."
    )
    precision: Precision = Field(
        default="fp32",
        description="auto takes bf16 where a trial finds it faster on this processor; results then differ.",
    )
    class_weights: bool = Field(
        default=False, description="With task classification: each label counts as much as any other."
    )
    focal: float = Field(
        default=0.0, ge=0, description="With task classification: above 0, easy examples count less (gamma)."
    )
    weight_decay: float = Field(default=0.01, ge=0, description="Of all tuned weights but biases and norms.")
    dropout: float = Field(
        default=0.2, ge=0, lt=1, description="Share of the features left out at each step, at random."
    )
    encoder_dropout: float | None = Field(
        default=None, ge=0, lt=1, description="Inside a tuned encoder; unset: as the encoder was made."
    )
    temperature: float = Field(
        default=0.05,
        gt=0,
        description="With task matching: likenesses are divided by it; smaller is surer.",
    )
    hard_negatives: int = Field(
        default=2,
        ge=0,
        description="With task matching: wrong answers that look right, per question, beside the batch.",
    )
    places: bool = Field(
        default=False,
        description="With task matching and given candidates: learn what the place of a candidate tells "
        "(messages in the order of time).",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the target spread over all labels."
    )
    order: tuple[str, ...] | None = Field(
        default=None, description="With task ordinal: the labels from lowest to highest; numbers need none."
    )
    crf: bool = Field(
        default=False,
        description="With task ner: learn which tag follows which (a conditional random field).",
    )
    letters: bool = Field(
        default=True,
        description="With task ner: read each word's letters and shape too: an encoder may not see case.",
    )
    context: int = Field(
        default=1,
        ge=1,
        description="With task ner: how many neighbouring rows of a group (a document) are read together, "
        "and are one example of a batch.",
    )
    distil: int = Field(
        default=0,
        ge=0,
        le=20,
        description="With task ner: teachers of other seeds that are trained first; the model then learns as "
        "much from what they hold likely as from the tags.",
    )
    optimiser: str = Field(default="adamw", description=f"One of torch: {', '.join(OPTIMISERS)}.")
    metric: str | None = Field(
        default=None,
        description="What chooses the epoch on the dev rows and ends the training early; unset: the first of "
        "evaluate.metrics.",
    )
    clip_norm: float = Field(
        default=1.0, gt=0, description="Longest gradient, as Euclidean norm over all weights."
    )
    max_tokens: int | None = Field(
        default=None,
        ge=8,
        description="Texts are cut to this many tokens; unset: as many as the encoder was made for.",
    )
    ngram_buckets: int = Field(
        default=2**18, ge=1024, le=2**24, description="Hash buckets of the character n-grams."
    )
    ngram_width: int = Field(
        default=128, ge=1, description="Columns of the vector that each kept n-gram gets."
    )
    ngram_min_rows: int = Field(
        default=2, ge=1, description="An n-gram needs this many training texts to be kept."
    )

    @field_validator("optimiser")
    @classmethod
    def _is_had(cls, name: str) -> str:
        if name in REFUSED_OPTIMISERS:
            raise ValueError(f"optimiser {name!r} cannot be used: {REFUSED_OPTIMISERS[name]}; take adamw")
        if name not in OPTIMISERS:
            raise ValueError(f"unknown optimiser {name!r}: {did_you_mean(name, tuple(OPTIMISERS))}")
        return name

    def located(self, root: Path) -> Self:
        """The settings with the backbone's folder found from the recipe's."""
        return self.model_copy(update={"backbone": self.backbone and located(self.backbone, root)})

    def files(self) -> list[str]:
        """Files that it reads, relative to the recipe."""
        sections = (self.prompting, self.continued, self.few_labels)
        return [file for section in sections if section for file in section.files()]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.features != "ngrams" and self.backbone is None and self.prompting is None:
            raise ValueError(f"features={self.features!r} needs a backbone; without one set features: ngrams")
        if self.features == "ngrams" and self.continued:
            raise ValueError("continued lets an encoder read on, but features='ngrams' has none")
        if self.features == "ngrams" and self.method != "frozen":
            raise ValueError(f"method={self.method!r} tunes an encoder, but features='ngrams' has none")
        if self.head == "standard" and (self.features != "encoder" or self.task not in STANDARD_TASKS):
            raise ValueError(
                f"head='standard' is for features: encoder and the tasks {', '.join(STANDARD_TASKS)}, not "
                f"for features={self.features!r} and task {self.task!r}: set head: own"
            )
        if self.distil and self.task != "ner":
            raise ValueError(
                f"distil={self.distil} is for task ner, whose teachers tell how likely each tag is; task "
                f"{self.task!r}: set distil: 0"
            )
        if self.few_labels and (self.task, self.features, self.head) != ("classification", "encoder", "own"):
            raise ValueError(
                "few_labels is for task classification with features: encoder and head: own, not for task "
                f"{self.task!r}, features={self.features!r}, head={self.head!r}"
            )
        if self.few_labels and self.prompting:
            raise ValueError("few_labels fits a model, and prompting fits none: leave one of the two out")
        if self.context > 1 and self.task != "ner":
            raise ValueError(
                f"context={self.context} is for task ner; task {self.task!r} answers about each row alone: "
                "set context: 1"
            )
        return self
