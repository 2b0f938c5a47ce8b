"""Facts that cannot all hold: by the rules that a set of relations has, and by the types of their ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from zhiling.rows.target import Relations, Triple
from zhiling.verification.constraint_kinds import folded


class Signature(BaseModel):
    """The types of entity that a relation may join; an empty list: any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: tuple[str, ...] = Field(default=(), description="types of who; none given: any")
    object: tuple[str, ...] = Field(default=(), description="types of whom; none given: any")


@dataclass(frozen=True)
class Rules:
    """What holds for a set's relations.

    Attributes:
        one_object: relations of which a subject has one (born in).
        one_way: relations that never hold both ways (parent of).
        exclusive: groups of relations of which one at most holds between the same two.
    """

    one_object: Sequence[str] = ()
    one_way: Sequence[str] = ()
    exclusive: Sequence[Sequence[str]] = ()


def contradictions(truth: Relations, rules: Rules) -> Iterator[str]:
    """Facts of a row that contradict each other, in words.

    Names are compared in NFKC and without case. Without rules only types can contradict: the same words at
    the same place have two.
    """
    facts = truth.relations
    yield from _several_objects(facts, rules)
    yield from _both_ways(facts, rules)
    yield from _excluded(facts, rules)
    yield from _two_types(truth)


def wrong_types(facts: Sequence[Triple], signatures: dict[str, Signature]) -> Iterator[str]:
    """Facts whose ends have a type that their relation does not join; an end without a type fits."""
    for fact in facts:
        signature = signatures.get(fact.relation)
        if signature is None:
            continue
        for end, found, allowed in (
            (fact.subject, fact.subject_type, signature.subject),
            (fact.object, fact.object_type, signature.object),
        ):
            if allowed and found is not None and found not in allowed:
                yield f"{fact.relation}: {end!r:.40} is {found!r}; allowed: {', '.join(allowed)}"


def _several_objects(facts: Sequence[Triple], rules: Rules) -> Iterator[str]:
    objects: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for fact in facts:
        if fact.relation in rules.one_object:
            objects[folded(fact.subject), fact.relation][folded(fact.object)] = None
    for (subject, relation), found in objects.items():
        if len(found) > 1:
            yield f"{subject!r:.40} has {len(found)} {relation}: {', '.join(found)}"


def _both_ways(facts: Sequence[Triple], rules: Rules) -> Iterator[str]:
    held = {(folded(fact.subject), fact.relation, folded(fact.object)) for fact in facts}
    for subject, relation, object_ in sorted(held):
        if relation in rules.one_way and subject <= object_ and (object_, relation, subject) in held:
            yield f"{subject!r:.40} {relation} {object_!r:.40} holds both ways"


def _excluded(facts: Sequence[Triple], rules: Rules) -> Iterator[str]:
    between: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in facts:
        between[folded(fact.subject), folded(fact.object)].add(fact.relation)
    for (subject, object_), held in between.items():
        for group in rules.exclusive:
            if len(held & set(group)) > 1:
                yield f"{subject!r:.40} and {object_!r:.40}: {' and '.join(sorted(held & set(group)))}"


def _two_types(truth: Relations) -> Iterator[str]:
    types: dict[tuple[int, int, int], dict[str, None]] = defaultdict(dict)
    for span in truth.spans or ():
        types[span.message, span.start, span.end][span.label] = None
    for fact in truth.relations:
        for place, found in ((fact.subject_place, fact.subject_type), (fact.object_place, fact.object_type)):
            if place is not None and found is not None:
                types[place.message, place.start, place.end][found] = None
    for (message, start, end), found in types.items():
        if len(found) > 1:
            yield f"{start}–{end} of message {message} is {' and '.join(found)}"
