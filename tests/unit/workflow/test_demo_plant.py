"""The demo's project: the truth file tells no more and no less than what stands in the files."""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from zhiling.text.normalise import normalise_text
from zhiling.workflow.demo import locate
from zhiling.workflow.demo.copies import MIN_JACCARD, similarity
from zhiling.workflow.demo.damage import UNREADABLE
from zhiling.workflow.demo.material import PUNCTUATION
from zhiling.workflow.demo.personal_data import KINDS, append, luhn_digit, resident_id_check
from zhiling.workflow.demo.plant import build

DEFECTS = {
    "exact_duplicates", "near_duplicates", "wrong_pairings", "wrong_labels", "personal_data",
    "evaluation_rows", "injections", "truncated_replies", "unreadable_lines",
}  # fmt: skip
LANGUAGES = ("zh", "en")


class Project:
    """A built project folder, read back by nothing but json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").splitlines()]
        self.lines = {
            f"logs/tickets-{language}.jsonl": (folder / f"logs/tickets-{language}.jsonl")
            .read_bytes()
            .split(b"\n")[:-1]
            for language in LANGUAGES
        }
        self.tickets: dict[str, list[dict[str, Any]]] = {}
        self.language: dict[str, str] = {}
        self.unreadable: list[str] = []
        for name, lines in self.lines.items():
            for number, line in enumerate(lines, 1):
                try:
                    record = json.loads(line.decode())
                    record["text"]
                except (ValueError, KeyError):
                    self.unreadable.append(f"{name}:{number}")
                    continue
                self.tickets.setdefault(record["conversation"], []).append(record)
                self.language[record["conversation"]] = name[13:15]

    def planted(self, defect: str) -> list[dict[str, str]]:
        return [line for line in self.truth if line["defect"] == defect]

    def at(self, locator: str) -> dict[str, Any]:
        name, _, number = locator.rpartition(":")
        return json.loads(self.lines[name][int(number) - 1])

    def text(self, conversation: str) -> str:
        return "\n".join(record["text"] for record in self.tickets[conversation])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("planted")
    build(locate(), folder, seed=7, defects=True)
    return Project(folder)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("clean")
    build(locate(), folder, seed=7, defects=False)
    return Project(folder)


def test_every_defect_is_planted_in_both_languages(project: Project) -> None:
    kinds = Counter((line["defect"], line["locator"][:-6].split(":")[0]) for line in project.truth)
    assert {line["defect"] for line in project.truth} == DEFECTS
    for defect in DEFECTS:
        languages = {re.search(r"\b(zh|en)\b", line["locator"])[0] for line in project.planted(defect)}  # type: ignore[index]
        assert languages == set(LANGUAGES), (defect, kinds)


def test_each_planted_place_is_a_line_of_its_conversation(project: Project) -> None:
    for line in project.truth:
        if line["conversation"] and line["defect"] != "unreadable_lines":
            assert project.at(line["locator"])["conversation"] == line["conversation"]
            assert project.at(line["start"]) == project.tickets[line["conversation"]][0]


def test_a_conversation_has_one_defect_and_copies_copy_clean_ones(project: Project) -> None:
    named = Counter(line["conversation"] for line in project.truth if line["conversation"])
    assert set(named.values()) == {1}
    originals = [
        line["of"] for line in project.planted("exact_duplicates") + project.planted("near_duplicates")
    ]
    assert len(set(originals)) == len(originals)
    assert not set(originals) & set(named)


def test_conversations_stand_in_order_of_time(project: Project) -> None:
    for language in LANGUAGES:
        ids = [name for name, of in project.language.items() if of == language]
        starts = [project.tickets[name][0]["time"] for name in ids]
        assert starts == sorted(starts)
        assert ids == sorted(ids)
    for records in project.tickets.values():
        times = [record["time"] for record in records]
        assert times == sorted(times)
        assert all(re.fullmatch(r"2026-0[234]-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)


def test_exact_copies_differ_in_case_width_and_spaces_alone(project: Project) -> None:
    def plain(text: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", text).lower().split())

    variants = Counter(line["detail"] for line in project.planted("exact_duplicates"))
    assert variants["verbatim"] >= 6
    assert len(variants) >= 5
    for line in project.planted("exact_duplicates"):
        copy, original = project.tickets[line["conversation"]], project.tickets[line["of"]]
        assert [plain(record["text"]) for record in copy] == [plain(record["text"]) for record in original]
        assert [record["intent"] for record in copy] == [record["intent"] for record in original]


def test_near_copies_are_near_and_not_equal(project: Project) -> None:
    found = [
        similarity(project.text(line["conversation"]), project.text(line["of"]))
        for line in project.planted("near_duplicates")
    ]
    assert len(found) >= 36
    assert min(found) >= MIN_JACCARD
    assert max(found) < 1


def test_similarity_is_the_share_of_common_five_grams() -> None:
    assert similarity("a b c d e f", "a b c d e g") == pytest.approx(1 / 3)


def test_wrong_pairings_hold_the_reply_of_another_intent(project: Project, clean: Project) -> None:
    for line in project.planted("wrong_pairings"):
        assert len(project.tickets[line["conversation"]]) == 2
        assert project.at(line["locator"])["text"] == clean.tickets[line["of"]][1]["text"]
        assert (
            clean.tickets[line["of"]][0]["intent"] == line["detail"] != project.at(line["locator"])["intent"]
        )


def test_wrong_labels_tell_the_right_one(project: Project, clean: Project) -> None:
    for line in project.planted("wrong_labels"):
        assert {record["intent"] for record in project.tickets[line["conversation"]]} == {line["detail"]}
        assert clean.tickets[line["conversation"]][0]["intent"] == line["of"] != line["detail"]


def test_personal_data_of_every_kind_stand_where_truth_says(project: Project, clean: Project) -> None:
    kinds = {(line["detail"], line["locator"][13:15]) for line in project.planted("personal_data")}
    assert kinds == {(kind, language) for kind in KINDS for language in LANGUAGES}
    for line in project.planted("personal_data"):
        assert line["of"] in project.at(line["locator"])["text"]
        assert not any(line["of"] in clean.text(name) for name in clean.tickets)


def test_cards_and_resident_ids_have_valid_checks_and_hosts_are_reserved(project: Project) -> None:
    for line in project.planted("personal_data"):
        value, kind = line["of"], line["detail"]
        digits = re.sub(r"\D", "", value)
        if kind == "card":
            assert len(digits) == 16
            assert luhn_digit(digits[:-1]) == digits[-1]
        elif kind == "resident_id":
            assert re.fullmatch(r"\d{17}[\dX]", value)
            assert resident_id_check(value[:17]) == value[17]
        elif kind == "email":
            assert re.search(r"@(mail\.)?example\.(com|org)$", value)
        elif kind == "ip":
            assert ipaddress.ip_address(value).is_private or value.startswith("2001:db8:")
        elif kind == "phone_cn":
            assert digits.removeprefix("86").startswith("154")


@pytest.mark.parametrize(("digits", "check"), [("7992739871", "3"), ("411111111111111", "1")])
def test_luhn_digit_on_known_numbers(digits: str, check: str) -> None:
    assert luhn_digit(digits) == check


def test_resident_id_check_on_the_example_of_the_standard() -> None:
    assert resident_id_check("11010519491231002") == "X"


def test_evaluation_rows_hold_a_question_of_the_evaluation_file(project: Project) -> None:
    questions = (project.folder / "evaluation.jsonl").read_text("utf-8").splitlines()
    for line in project.planted("evaluation_rows"):
        question = json.loads(questions[int(line["of"].rpartition(":")[2]) - 1])
        first = project.at(line["locator"])
        assert first["text"].endswith(question["text"])
        assert first["intent"] == question["label"]
        assert project.language[line["conversation"]] == question["language"]


def test_no_question_of_the_evaluation_file_stands_in_the_clean_logs(clean: Project) -> None:
    questions = (clean.folder / "evaluation.jsonl").read_text("utf-8").splitlines()
    asked = {normalise_text(record["text"]) for records in clean.tickets.values() for record in records}
    assert not asked & {normalise_text(json.loads(line)["text"]) for line in questions}


def test_injections_stand_in_logs_and_in_one_page_a_language(project: Project) -> None:
    pages = [line for line in project.planted("injections") if not line["conversation"]]
    assert len(pages) == len(LANGUAGES)
    for line in pages:
        name, _, number = line["locator"].rpartition(":")
        assert (project.folder / name).read_text("utf-8").split("\n")[int(number) - 1] == line["of"]
        assert (locate() / name).read_text("utf-8").count(line["of"]) == 0
    for line in project.planted("injections"):
        if line["conversation"]:
            message = project.at(line["locator"])
            assert message["speaker"] == "customer"
            assert line["of"] in message["text"]


def test_truncated_replies_end_amid_a_sentence(project: Project) -> None:
    for line in project.planted("truncated_replies"):
        reply = project.at(line["locator"])
        assert reply["speaker"] == "agent"
        assert line["of"].startswith(reply["text"])
        assert 0.45 <= len(reply["text"]) / len(line["of"]) <= 0.8
        assert reply["text"][-1] not in PUNCTUATION
        assert line["of"][len(reply["text"])] not in PUNCTUATION


def test_unreadable_lines_are_those_of_the_truth(project: Project, clean: Project) -> None:
    planted = project.planted("unreadable_lines")
    assert sorted(project.unreadable) == sorted(line["locator"] for line in planted)
    assert Counter(line["detail"] for line in planted) == dict.fromkeys(UNREADABLE, len(LANGUAGES))
    assert clean.unreadable == []


def test_without_defects_the_material_is_there_once_and_unchanged(project: Project, clean: Project) -> None:
    assert clean.truth == []
    authored = [
        json.loads(line)
        for file in sorted((locate() / "authored").glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    written = {(records[0]["intent"], clean.text(name)) for name, records in clean.tickets.items()}
    assert written == {(each["intent"], "\n".join(turn[3:] for turn in each["turns"])) for each in authored}
    assert len(clean.tickets) == len(authored)
    for page in (locate() / "manual").rglob("*.*"):
        assert (
            clean.folder / "manual" / page.relative_to(locate() / "manual")
        ).read_bytes() == page.read_bytes()


def test_defects_change_no_other_conversation(project: Project, clean: Project) -> None:
    touched = {line["conversation"] for line in project.truth}
    for name, records in clean.tickets.items():
        assert name in touched or project.tickets[name] == records


def test_the_seed_decides(project: Project, tmp_path: Path) -> None:
    files = [path.relative_to(project.folder) for path in project.folder.rglob("*") if path.is_file()]
    build(locate(), tmp_path / "again", seed=7, defects=True)
    build(locate(), tmp_path / "again", seed=7, defects=True)
    assert all(
        (tmp_path / "again" / file).read_bytes() == (project.folder / file).read_bytes() for file in files
    )
    build(locate(), tmp_path / "other", seed=8, defects=True)
    assert (tmp_path / "other" / "truth.jsonl").read_bytes() != (project.folder / "truth.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("text", "sentence", "language", "joined"),
    [
        ("灯不亮", "我的邮箱是 x", "zh", "灯不亮，我的邮箱是 x"),
        ("灯不亮😂", "急", "zh", "灯不亮😂急"),
        ("它说“失败”", "急", "zh", "它说“失败”，急"),
        ("it blinks", "Call me.", "en", "it blinks. Call me."),
        ("It blinks!", "Call me.", "en", "It blinks! Call me."),
    ],
)
def test_append_joins_as_people_write(text: str, sentence: str, language: str, joined: str) -> None:
    assert append(text, sentence, language) == joined
