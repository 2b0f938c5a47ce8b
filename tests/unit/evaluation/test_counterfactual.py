"""Swaps keep the grammar of both languages, move places with them, and come back where lists are pairs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.errors import UsageError
from zhiling.evaluation.counterfactual import KINDS, Kind, Swapped, effect, swap_texts, templates
from zhiling.evaluation.counterfactual.swap import Unswapped
from zhiling.evaluation.counterfactual.words import GENDERS, gender_words, names, regions

TEMPLATES = [(language, text) for language, texts in templates().items() for text in texts]


def swapped(text: str, kind: Kind, key: str = "k", variant: int = 0) -> str:
    found = swap_texts([text], kind, key, variant)
    return found.texts[0] if isinstance(found, Swapped) else found.value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("He lost his key.", "She lost her key."),
        ("She lost her key.", "He lost his key."),
        ("I saw her yesterday and called him.", "I saw him yesterday and called her."),
        ("The bag is hers, not his.", "The bag is his, not hers."),
        ("They thanked her.", "They thanked him."),
        ("HER phone, Her phone, her phone", "HIS phone, His phone, his phone"),
        ("She made her own bread and hurt herself.", "He made his own bread and hurt himself."),
        ("he's late; she'll come", "she's late; he'll come"),
        ("An uncle and a husband", "An aunt and a wife"),
        ("an actor, a lady", "an actress, a gentleman"),
        ("Mr. Brown and Mrs. Brown", "Ms. Brown and Mr. Brown"),
        ("Emily told us that she moved.", "James told us that he moved."),
        ("他的女儿在等他。", "她的儿子在等她。"),
        ("她们都喜欢弹吉他，其他人不喜欢。", "他们都喜欢弹吉他，其他人不喜欢。"),
        ("王芳女士和她丈夫", "王伟先生和他妻子"),
        ("外甥女来了", "外甥来了"),
    ],
)
def test_gender_keeps_the_grammar(text: str, told: str) -> None:
    assert swapped(text, "gender") == told


@pytest.mark.parametrize(
    "text", ["She gave her mother a ring.", "We saw her leave.", "They made her manager."]
)
def test_what_grammar_leaves_open_is_left_out(text: str) -> None:
    assert swap_texts([text], "gender", "k") is Unswapped.AMBIGUOUS


@pytest.mark.parametrize(
    "text",
    [
        "the theme of this chisel",
        "Ladies and gentlemen!",
        "we miss you",
        "其他吉他",
        "儿女双全的妇女",
        "",
        "👩",
    ],
)
def test_words_that_only_look_so_stay(text: str) -> None:
    assert swap_texts([text], "gender", "k") is Unswapped.ABSENT


def test_names_and_places_go_to_another_group() -> None:
    lists = names().lists["en"]
    for variant in range(6):
        told = swapped("Emily Clarke met Sarah.", "name", variant=variant)
        group = next(name for name, each in lists.items() if told.split()[0] in each["female"])
        assert group != "english"
        assert told.split()[1] in lists[group]["last"]
        assert told.split()[3].strip(".") in lists[group]["female"]
    assert swapped("北京时间八点，我在北京", "region").startswith("北京时间八点，我在")
    assert not swapped("北京时间八点，我在北京", "region").endswith("北京")
    assert swap_texts(["a lorry over London Bridge"], "region", "k") is Unswapped.ABSENT


def test_articles_follow_the_new_word() -> None:
    told = {swapped("a Canadian lawyer and an Irish one", "region", variant=variant) for variant in range(12)}
    assert any("an Egyptian" in each or "an Indian" in each or "an Ecuadorian" in each for each in told)
    for each in told:
        for word, after in zip(each.split(), each.split()[1:], strict=False):
            if word in ("a", "an"):
                assert (word == "an") == (after[0].lower() in "aeiou"), each


def test_an_input_of_several_messages_is_about_one_person() -> None:
    found = swap_texts(["Emily is here.", "Who? Emily!", "nobody"], "name", "k")
    assert isinstance(found, Swapped)
    name = found.texts[0].removesuffix(" is here.")
    assert found.texts[1:] == (f"Who? {name}!", "nobody")


@given(st.sampled_from(TEMPLATES))
def test_gender_swapped_twice_is_the_text_again(template: tuple[str, str]) -> None:
    text = template[1]
    assert swapped(swapped(text, "gender"), "gender") == text


@pytest.mark.parametrize(("language", "text"), TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_template_takes_every_swap(language: str, text: str, kind: Kind) -> None:
    found = swap_texts([text], kind, text)
    assert isinstance(found, Swapped)
    assert found.texts[0] != text
    assert found.texts[0].isascii() == (language == "en")


@settings(max_examples=200)
@given(st.sampled_from(TEMPLATES), st.sampled_from(KINDS), st.integers(0, 5), st.data())
def test_what_stays_is_found_where_it_moved(
    template: tuple[str, str], kind: Kind, variant: int, data: st.DataObject
) -> None:
    """Law: any piece that no edit touches reads the same at its new place; a swapped word is its new word."""
    text = template[1]
    found = swap_texts([text], kind, "k", variant)
    assert isinstance(found, Swapped)
    for edit in found.edits[0]:
        start, end = found.moved(0, edit.start, edit.end)
        assert found.texts[0][start:end] == edit.text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    if all(edit.end <= start or end <= edit.start for edit in found.edits[0]):
        new = slice(*found.moved(0, start, end))
        assert found.texts[0][new] == text[start:end]


def test_equal_keys_give_equal_swaps_and_others_spread() -> None:
    assert swapped("Emily", "name", "a") == swapped("Emily", "name", "a")
    assert len({swapped("Emily", "name", str(key)) for key in range(40)}) == 5


def test_lists_are_whole() -> None:
    """Pairs of names are of one length, no word stands in two lists, no counterpart is missing."""
    for lists in (names().lists, regions().lists):
        for groups in lists.values():
            words = [word for group in groups.values() for each in group.values() for word in each]
            assert len(words) == len(set(words))
    for groups in names().lists.values():
        assert all(len({len(group[gender]) for gender in GENDERS}) == 1 for group in groups.values())
    for group in regions().lists["en"].values():
        assert len(group["country"]) == len(group["adjective"])
    for counterparts in gender_words().counterparts.values():
        assert set(counterparts.values()) <= set(counterparts)


def test_flips_are_counted_once_a_text() -> None:
    owners = ["a", "a", "b", "c", "d"]
    found = effect(
        owners, {"after": [True, False, False, True, False], "before": [False] * 5},
        {"after": [0.2, 0.4, 0, 0, 0]}, seed=0,
    )  # fmt: skip
    assert (found.originals, found.pairs) == (4, 5)
    assert found.flips["after"].mean == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert found.flips["before"].mean == 0
    assert found.flips["before"].high > 0.4, "no flip among four texts proves little"
    assert found.shift["after"].mean == pytest.approx(0.3 / 4)
    assert found.added is not None
    assert found.added.mean == pytest.approx(0.375)
    assert found.added.verdict == "no difference"


def test_more_flips_than_before_are_worse() -> None:
    owners = [str(number) for number in range(60)]
    found = effect(owners, {"after": [True] * 60, "before": [False] * 60}, {}, seed=0)
    assert found.added is not None
    assert found.added.verdict == "worse"
    assert effect(owners, {"after": [True] * 60}, {}, seed=0).added is None
    with pytest.raises(UsageError, match="no text was swapped"):
        effect([], {"after": []}, {}, seed=0)
