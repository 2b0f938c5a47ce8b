"""From a labelled example to a conversation: the prompt, the reply, and where everything stands now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from zhiling.rows import target
from zhiling.rows.templates.example import CHOICES, Example, Layout, captioned, joined, pieces
from zhiling.rows.templates.forms import Record
from zhiling.rows.templates.json_form import JsonForm
from zhiling.rows.templates.names import Listing
from zhiling.rows.templates.pattern import Piece
from zhiling.rows.templates.phrases import Phrases, phrases
from zhiling.rows.templates.spelling import Mention
from zhiling.rows.templates.view import Unfit, View
from zhiling.rows.templates.wording import LISTED, Wording

_NONE = Listing(())


@dataclass(frozen=True)
class Setting:
    """What a prompt holds beside its example.

    Attributes:
        listing: the labels that it lists.
        empty: whether it says what to reply where nothing fits (it does wherever the truth is empty).
        bounds: lowest and highest score.
        shots: demonstrations: their ids and examples.
        inline: whether they stand in the prompt itself; else they are turns before it.
        withheld: right labels that are not listed.
        memory: demonstrations that were written before, by id and wording; many rows share it.
    """

    listing: Listing = _NONE
    empty: bool = False
    bounds: tuple[float, float] | None = None
    shots: Sequence[tuple[str, Example]] = ()
    inline: bool = False
    withheld: Sequence[str] = ()
    memory: dict[tuple[str, str], Any] | None = None


@dataclass(frozen=True)
class Rendered:
    """A conversation and its target (JSON)."""

    messages: Sequence[tuple[str, str]]
    target: str


@dataclass(frozen=True)
class _Told:
    """An example with its reply, before it stands in a prompt."""

    layout: Layout
    values: Mapping[str, Piece]
    reply: str
    explained: bool
    marked: bool
    empty: bool


@dataclass(frozen=True)
class _Asked:
    """What the prompt says around the input."""

    wording: Wording
    flags: Collection[str]
    sentences: str
    inline: bool


@dataclass
class _Prompt:
    turns: list[tuple[str, str]] = field(default_factory=list)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)


def render(example: Example, wording: Wording, setting: Setting = Setting()) -> Rendered:
    """The example in this wording.

    The example's own system message comes first; a worked solution of its own stands before the answer.

    Raises:
        Unfit: this wording cannot tell this example exactly, or does not show all of it.
    """
    words = phrases(wording.language)
    told = _told(example, wording, setting, words)
    shots = [_shot(id, shot, wording, setting) for id, shot in setting.shots]
    asked = _asked(example, wording, setting, [told, *shots])
    prompt = _written(example, asked, told, shots)
    prompt.turns.append(("assistant", told.reply))
    return Rendered(prompt.turns, _target(example, wording, setting, told, prompt))


def _shot(id: str, example: Example, wording: Wording, setting: Setting) -> _Told:
    """A demonstration; what a prompt shows of it depends on its wording alone."""
    words = phrases(wording.language)
    if setting.memory is None or not wording.asks[2].slots.isdisjoint(LISTED):
        return _told(example, wording, setting, words)
    told = setting.memory.get((id, wording.name))
    if told is None:
        told = setting.memory[id, wording.name] = _told(example, wording, setting, words)
    return told


def _told(example: Example, wording: Wording, setting: Setting, words: Phrases) -> _Told:
    found = example.layout
    if not wording.covers(frozenset(found.fields)):
        raise Unfit("fields_differ", f"{wording.name} does not show exactly {sorted(found.fields)}")
    if found.system is not None and wording.system is not None:
        raise Unfit("two_system_turns", f"{wording.name} has a system message, and so has the row")
    records = _records(example, wording, setting, found)
    reply, explained = _reply(example, wording, records, found)
    marked = any(isinstance(cell, Mention) and cell.nth is not None for record in records for cell in record)
    shown = pieces(example, found.fields, wording.option, words)
    values = shown | setting.listing.values(wording) if wording.lists_labels else dict(shown)
    if "input" in wording.slots:
        values["input"] = captioned({name: shown[name] for name in shown if name not in wording.slots}, words)
    values |= _facts(example.truth, setting, words)
    if wording.nothing is not None:
        values["none"] = wording.nothing
    if not wording.required <= values.keys():
        missing = sorted(wording.required - values.keys())
        raise Unfit("no_value", f"{wording.name} needs {', '.join(missing)}")
    return _Told(found, values, reply, explained, marked, not records)


def _records(example: Example, wording: Wording, setting: Setting, found: Layout) -> list[Record]:
    if wording.shape == "reply":
        if found.reply is None:
            raise Unfit("no_reply", "the example has no reply, and its target tells none")
        return [(example.turns[found.reply].text,)]
    options = [example.turns[index].text for index in found.fields.get(CHOICES, ())]
    view = View(
        [(index, example.turns[index].text) for index in found.shown],
        words=setting.listing.words,
        options=options,
    )
    records = wording.kind.records(example.truth, view)
    _verify_option(wording, records, options)
    return records


def _reply(example: Example, wording: Wording, records: Sequence[Record], found: Layout) -> tuple[str, bool]:
    """The reply, and whether a worked solution of the example's own comes first."""
    reply = wording.form.write(records)
    own = "" if found.reply is None or wording.shape == "reply" else example.turns[found.reply].text
    if not own.strip() or own in {reply, *_words(records)}:
        return reply, False
    if "\n\n" in reply:
        raise Unfit("blank_line", "the answer holds a blank line, which parts it from its solution")
    return f"{own}\n\n{reply}", True


def _verify_option(wording: Wording, records: Sequence[Record], options: Sequence[str]) -> None:
    """An option by its words alone must be the only one with them."""
    if wording.shape == "choice" and "{letter}" not in wording.reply and "{number}" not in wording.reply:
        words = records[0][2]
        if options.count(str(words)) > 1:
            raise Unfit("equal_options", f"two options read {words!r:.60}")


def _words(records: Sequence[Record]) -> set[str]:
    if len(records) != 1:
        return set()
    return {cell if isinstance(cell, str) else cell.text for cell in records[0]}


def _facts(truth: object, setting: Setting, words: Phrases) -> dict[str, Piece]:
    """What a prompt says about the truth without telling it."""
    if isinstance(truth, target.Translation):
        return {
            "source_language": Piece(words.spoken(truth.source_language)),
            "target_language": Piece(words.spoken(truth.target_language)),
        }
    if isinstance(truth, target.Constraints):
        return {"constraints": Piece("\n".join(words.constraint(each) for each in truth.constraints))}
    if isinstance(truth, target.Tests) and truth.tests:
        return {"tests": Piece("\n".join(truth.tests))}
    if isinstance(truth, target.Score) and setting.bounds:
        low, high = (repr(bound).removesuffix(".0") for bound in setting.bounds)
        return {"low": Piece(low), "high": Piece(high)}
    return {}


def _asked(example: Example, wording: Wording, setting: Setting, told: Sequence[_Told]) -> _Asked:
    """What the prompt has to say for this example and its demonstrations."""
    truth = example.truth
    flags = {"multi" if _several(truth) else "single"}
    if setting.empty or any(each.empty for each in told):
        flags.add("none")
    if setting.bounds:
        flags.add("range")
    return _Asked(wording, flags, _sentences(wording, told, phrases(wording.language)), setting.inline)


def _sentences(wording: Wording, told: Sequence[_Told], words: Phrases) -> str:
    """Sentences that only some rows need: about marks, and about worked solutions."""
    found: list[str] = []
    if any(each.marked for each in told):
        found.append(words.occurrence_json if isinstance(wording.form, JsonForm) else words.occurrence)
    if any(each.explained for each in told):
        found.append(words.explain)
    return "\n".join(found)


def _written(example: Example, asked: _Asked, told: _Told, shots: Sequence[_Told]) -> _Prompt:
    """All turns before the reply."""
    prompt = _Prompt()
    system, opening, closing = _around(asked, told)
    if told.layout.system is not None:
        prompt.places[told.layout.system] = (0, 0)
        prompt.turns.append(("system", example.turns[told.layout.system].text))
    elif system is not None:
        prompt.turns.append(("system", system.text))
    pattern, flags = asked.wording.asks[2], asked.flags
    shown = [(pattern.fill(each.values, flags), each.reply) for each in shots]
    if asked.inline and shown:
        opening = _with_examples(opening, shown, phrases(asked.wording.language))
        shown = []
    for piece, reply in shown:
        _add_user(prompt, [opening, piece, closing])
        prompt.turns.append(("assistant", reply))
        opening = closing = None
    for index, place in _add_user(prompt, [opening, pattern.fill(told.values, flags), closing]):
        prompt.places[index] = (len(prompt.turns) - 1, place)
    return prompt


def _around(asked: _Asked, told: _Told) -> tuple[Piece | None, Piece | None, Piece | None]:
    """System, before and after, with the sentences that only some rows need behind what is asked."""
    system, before, _, after = asked.wording.asks
    parts = [
        None if each is None else each.fill(told.values, asked.flags) for each in (before, after, system)
    ]
    if asked.sentences:
        index = next((index for index, part in enumerate(parts) if part is not None), 0)
        piece = parts[index] or Piece("")
        parts[index] = Piece(f"{piece.text}\n{asked.sentences}".lstrip("\n"), piece.places)
    return parts[2], parts[0], parts[1]


def _with_examples(before: Piece | None, shots: Sequence[tuple[Piece, str]], words: Phrases) -> Piece:
    lines = [words.examples, *(f"{piece.text}\n{words.cue}{reply}" for piece, reply in shots)]
    parts = [before, *(Piece(line) for line in lines)]
    return joined([part for part in parts if part is not None], "\n\n")


def _add_user(prompt: _Prompt, parts: Sequence[Piece | None]) -> Sequence[tuple[int, int]]:
    piece = joined([part for part in parts if part is not None and part.text], "\n\n")
    prompt.turns.append(("user", piece.text))
    return piece.places


def _target(example: Example, wording: Wording, setting: Setting, told: _Told, prompt: _Prompt) -> str:
    fields: list[dict[str, Any]] = []
    for index in sorted(prompt.places):
        turn, (message, start) = example.turns[index], prompt.places[index]
        place = {"message": message, "start": start, "end": start + len(turn.text)}
        fields.append(place | _kept(role=turn.role if turn.role != "user" else None, name=turn.name))
    template: dict[str, Any] = {"wording": wording.name, "fields": fields}
    if wording.lists_labels and wording.shape != "state":
        template |= setting.listing.json
    template |= _kept(
        multi=_several(example.truth),
        placed=example.truth is not None and wording.kind.placed(example.truth),
        explained=told.explained,
        withheld=list(setting.withheld),
        shots=[id for id, _ in setting.shots],
    )
    truth = {} if example.truth is None else _truth(example.truth, prompt.places)
    return orjson.dumps(truth | {"template": template}).decode()


def _several(truth: object) -> bool:
    return isinstance(truth, target.Labels) and (truth.multi or len(truth.labels) > 1)


def _kept(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _truth(truth: Any, places: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    raw: dict[str, Any] = truth.model_dump(exclude_none=True, exclude_unset=True)
    if isinstance(
        truth, target.Entities
    ):  # tokens are places in message 0, where the text may not stand any more
        raw = {name: value for name, value in raw.items() if name not in ("tokens", "tags")}
    return raw if isinstance(truth, target.Labels) else moved(raw, places)


def moved(value: Any, places: Mapping[int, tuple[int, int]]) -> Any:
    """A JSON value with every place (object with `start` and `end`) moved to where its message stands now.

    Args:
        value: of a target.
        places: index of a message → its index now, and how far its text lies behind the start of that one.

    Raises:
        Unfit: a place in a message that is not shown.
    """
    if isinstance(value, list | tuple):
        return [moved(each, places) for each in cast(Sequence[Any], value)]
    if not isinstance(value, dict):
        return value
    fields = {key: moved(each, places) for key, each in cast(dict[str, Any], value).items()}
    if "start" in fields and "end" in fields:
        message = fields.get("message", 0)
        if message not in places:
            raise Unfit("place_outside", f"a place in message {message}, which the prompt does not show")
        now, offset = places[message]
        fields |= {"message": now, "start": fields["start"] + offset, "end": fields["end"] + offset}
    return fields
