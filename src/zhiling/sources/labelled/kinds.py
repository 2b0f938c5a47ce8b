"""The kinds of labelled sets: what each reads, its fields, and how a set is recognised as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from zhiling.sources.labelled import choice, classification, dialogue_state, ner, qa, relation, reply
from zhiling.sources.labelled.example import Example, Values
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.names import find, known
from zhiling.sources.records.json_values import as_list, as_object

KindName = Literal[
    "auto",
    "classification",
    "pairs",
    "ner",
    "relation",
    "qa",
    "solution",
    "choice",
    "translation",
    "summary",
    "reply",
    "dialogue_state",
    "code",
    "controlled",
]
Field = str
Chosen = Mapping[Field, str | tuple[str, ...]]
"""Our names → theirs; several of theirs are a list."""

LETTERS = "ABCDEFGHIJ"
LOOKED_AT = 100
"""Records that are looked at where names alone are not certain."""


def _always(_: Sequence[Mapping[str, Any]], __: Chosen) -> bool:
    return True


@dataclass(frozen=True)
class Kind:
    """One kind of labelled set.

    Attributes:
        name: as a recipe names it.
        task: of its rows.
        read: one record as an example.
        needs: fields without which a record is none of this kind; any of these sets will do.
        may: further fields.
        shy: taken without being named only where no field is a label.
        proof: what must hold for the records of a set that is not named to be of this kind.
    """

    name: KindName
    task: str
    read: Callable[[Values, Manner], Example]
    needs: tuple[tuple[Field, ...], ...]
    may: tuple[Field, ...] = ()
    shy: bool = False
    proof: Callable[[Sequence[Mapping[str, Any]], Chosen], bool] = field(default=_always)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields that it reads."""
        return tuple(dict.fromkeys([*(name for names in self.needs for name in names), *self.may]))


def _has_result(items: Sequence[Mapping[str, Any]], chosen: Chosen) -> bool:
    solutions = [item.get(str(chosen["solution"])) for item in items]
    return any(isinstance(each, str) and qa.RESULT in each for each in solutions)


def _tells_languages(_: Sequence[Mapping[str, Any]], chosen: Chosen) -> bool:
    return languages_of(chosen) is not None


def _has_state(items: Sequence[Mapping[str, Any]], chosen: Chosen) -> bool:
    turns = [
        as_object(turn) or {} for item in items for turn in as_list(item.get(str(chosen["turns"]))) or []
    ]
    return any(name in turn for turn in turns for name in dialogue_state.STATE_FIELDS)


KINDS: tuple[Kind, ...] = (
    Kind("ner", "ner", ner.tagged, (("tokens", "tags"),)),
    Kind(
        "relation",
        "relation",
        relation.relation,
        (("text", "relations"), ("text", "subject", "relation", "object")),
        ("spans",),
    ),
    Kind("ner", "ner", ner.spanned, (("text", "spans"), ("text", "end", "span_label")), ("start", "surface")),
    Kind("choice", "commonsense", choice.choice, (("question", "choices", "answer"),), ("context",)),
    Kind("qa", "qa", qa.passage_question, (("context", "question", "answers"),), ("starts", "impossible")),
    Kind("code", "code", reply.code, (("text", "code", "tests"),), ("setup", "entry_point"), shy=True),
    Kind(
        "dialogue_state",
        "dialogue",
        dialogue_state.dialogue_state,
        (("turns",),),
        ("state",),
        proof=_has_state,
    ),
    Kind("summary", "summarisation", reply.summary, (("text", "summary"), ("text", "summaries")), shy=True),
    Kind(
        "translation",
        "translation",
        reply.translation,
        (("source", "target"),),
        ("targets",),
        shy=True,
        proof=_tells_languages,
    ),
    Kind("pairs", "matching", classification.pair, (("first", "second"),), ("label", "score")),
    Kind("solution", "qa", qa.worked_solution, (("question", "solution"),), shy=True, proof=_has_result),
    Kind("controlled", "controlled", reply.controlled, (("words", "reply"),), ("text", "replies"), shy=True),
    Kind("classification", "classification", classification.classification, (("text",),), ("label", "score")),
    Kind("reply", "instruction", reply.reply, (("text", "reply"), ("text", "replies"))),
)
"""In the order in which a set is asked for them."""

FIELDS = tuple(dict.fromkeys(name for kind in KINDS for name in kind.fields))


def candidates(name: KindName, named: Chosen) -> list[Kind]:
    """Kinds that a set can be: those of this name (`auto`: any) that read all fields that are named."""
    return [kind for kind in KINDS if name in ("auto", kind.name) and set(named) <= set(kind.fields)]


def detect(
    kinds: Sequence[Kind], named: Chosen, present: Sequence[str], items: Sequence[Mapping[str, Any]]
) -> tuple[Kind, Chosen]:
    """The kind that these records are of, and their fields.

    Args:
        kinds: see `candidates`; one alone is taken whatever the records hold.
        named: ours → theirs, as the recipe says.
        present: fields of the records.
        items: the first records.
    """
    labelled = find("labelled", "label", present) is not None
    for kind in kinds:
        chosen = choose(kind, named, present, items)
        if any(chosen.keys() >= set(names) for names in kind.needs):
            certain = not (kind.shy and labelled) and kind.name != "reply" and kind.proof(items, chosen)
            if certain or len({each.name for each in kinds}) == 1:
                return kind, chosen
    fallback = next((kind for kind in kinds if kind.name == "classification"), kinds[0])
    return fallback, choose(fallback, named, present, items)


def choose(
    kind: Kind, named: Chosen, present: Sequence[str], items: Sequence[Mapping[str, Any]]
) -> dict[Field, str | tuple[str, ...]]:
    """Ours → theirs for the fields of one kind: named, else found by their usual names."""
    chosen: dict[Field, str | tuple[str, ...]] = {}
    for ours in kind.fields:
        theirs = named.get(ours) or _find(ours, present, items)
        if theirs is not None:
            chosen[ours] = theirs
    if kind.name == "translation" and not (chosen.keys() & {"source", "target"}):
        tags = [name for name in present if name.casefold() in known("labelled")["languages"]]
        if len(tags) == 2:
            chosen |= dict(zip(("source", "target"), tags, strict=True))
    return chosen


def languages_of(chosen: Chosen) -> tuple[str, str] | None:
    """Languages of a translation whose columns are called by language tags (`en`, `translation.zh`)."""
    tags = [str(chosen.get(name, "")).rpartition(".")[2] for name in ("source", "target")]
    return (
        (tags[0], tags[1]) if all(tag.casefold() in known("labelled")["languages"] for tag in tags) else None
    )


def _find(
    ours: Field, present: Sequence[str], items: Sequence[Mapping[str, Any]]
) -> str | tuple[str, ...] | None:
    found = find("labelled", ours, present) if ours in known("labelled") else None
    if ours == "choices" and found is None:
        letters = [letter for letter in LETTERS if letter in present]
        return tuple(letters) if letters[:2] == ["A", "B"] else None
    if ours == "spans" and found is None:
        label = find("labelled", "label", present)
        return label if label is not None and _holds_spans([item.get(label) for item in items]) else None
    return found


def _holds_spans(values: Sequence[Any]) -> bool:
    """Whether the first of these labels is an object, or a list of lists or objects."""
    first = next((value for value in values if value not in (None, "", [])), None)
    listed = as_list(first)
    return isinstance(first, dict) or bool(listed and isinstance(listed[0], dict | list))
