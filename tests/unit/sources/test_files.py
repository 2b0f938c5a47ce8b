"""Lines of files: packing, encodings, what cannot be read, and bounded memory."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from zhiling.pipeline.step import Bad
from zhiling.sources.files.encoding import recognise_narrow, recognise_wide
from zhiling.sources.files.lines import MAX_LINE_BYTES, Block, blocks

TEXT = '{"text": "你好，世界"}\n{"text": "How can I return the lamp?"}\n{"text": "退款什么时候到账"}\n'


def read(path: Path, **settings: str) -> tuple[list[tuple[int, str]], list[Bad]]:
    lines: list[tuple[int, str]] = []
    bad: list[Bad] = []
    for item in blocks(path, path.name, **settings):  # pyright: ignore[reportArgumentType]
        if isinstance(item, Block):
            lines += [(number, line.decode()) for number, line in enumerate(item.lines, item.first)]
        else:
            bad.append(item)
    return lines, bad


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_encoding_and_line_end_gives_the_same_lines(
    tmp_path: Path, encoding: str, end: str, packed: bool
) -> None:
    content = TEXT.replace("\n", end).encode(encoding)
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress(content) if packed else content)
    lines, bad = read(path)
    assert lines == list(enumerate(TEXT.splitlines(), 1))
    assert bad == []


def test_chinese_utf16_without_mark_and_nearly_no_ascii_is_recognised() -> None:
    assert recognise_wide("退款什么时候到账\n请问灯泡怎么安装\n".encode("utf-16-le")) == "utf-16-le"
    assert recognise_wide("退款什么时候到账\n请问灯泡怎么安装\n".encode("utf-16-be")) == "utf-16-be"


@pytest.mark.parametrize(
    "content",
    [
        "退款什么时候到账\n".encode(),
        "退款什么时候到账\n".encode("gb18030"),
        b"abc\x00def\n",
        b"\x00\x01\x02\x03" * 10,
        b"plain ascii, an even number of bytes\n",
        b"",
    ],
)
def test_what_is_not_certainly_utf16_is_not_taken_for_it(content: bytes) -> None:
    assert recognise_wide(content) is None


def test_latin1_is_not_taken_for_gb18030() -> None:
    sample = "Où est la boîte ? Déjà livrée à l'hôtel.".encode("latin-1")
    assert recognise_narrow([sample] * 5) is None


def test_most_lines_decide_between_utf8_and_gb18030() -> None:
    text = "退款什么时候到账"
    assert recognise_narrow([text.encode()] * 2 + [text.encode("gb18030")]) == "utf-8"
    assert recognise_narrow([b"ascii", text.encode(), *[text.encode("gb18030")] * 2]) == "gb18030"
    assert recognise_narrow([b"ascii", b"only"]) is None
    assert recognise_narrow(["一".encode("gb18030"), text.encode("gb18030")]) == "gb18030"
    assert recognise_narrow(["é".encode()] * 3 + [text.encode("gb18030")]) == "utf-8"


def test_gb18030_is_recognised_behind_a_megabyte_of_ascii(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"plain line\n" * 200_000 + "退款什么时候到账\n".encode("gb18030"))
    lines, bad = read(path)
    assert (lines[-1], bad) == ((200_001, "退款什么时候到账"), [])


def test_one_undecodable_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("一\n二\n".encode() + b"\xff\xfe oops\n" + "四\n".encode())
    lines, bad = read(path)
    assert lines == [(1, "一"), (2, "二"), (4, "四")]
    assert [(each.place, each.cls) for each in bad] == [("a.txt:3", "undecodable")]
    assert "0xff" in bad[0].message
    assert "UTF-8" in bad[0].message


def test_a_lone_surrogate_and_half_a_character_in_utf16_are_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(
        "\ufeffone\n".encode("utf-16-le") + b"\x00\xd8\n\x00" + "three\nfour".encode("utf-16-le") + b"x"
    )
    lines, bad = read(path)
    assert lines == [(1, "one"), (3, "three")]
    assert [(each.place, each.cls) for each in bad] == [
        ("a.txt:2", "undecodable"),
        ("a.txt:4", "undecodable"),
    ]


def test_nul_bytes_are_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntw\x00o\nthree\n")
    lines, bad = read(path)
    assert lines == [(1, "one"), (3, "three")]
    assert [(each.place, each.cls) for each in bad] == [("a.txt:2", "nul_bytes")]


def test_named_encoding_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("一".encode("gb18030"))
    assert read(path, encoding="gb18030") == ([(1, "一")], [])


def test_truncated_gzip_gives_everything_before_the_cut(tmp_path: Path) -> None:
    whole = b"".join(b"line %d of the log\n" % number for number in range(100_000))
    packed = gzip.compress(whole, mtime=0)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(packed[: len(packed) // 2])
    lines, bad = read(path)
    assert len(lines) > 30_000
    assert all(text == f"line {number - 1} of the log" for number, text in lines[:-1])
    assert [each.cls for each in bad] == ["truncated_gzip"]
    assert bad[0].place == f"a.txt.gz:{lines[-1][0]}"


def test_damaged_gzip_and_rubbish_behind_a_member_are_told(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(b"%d\n" % (n * n) for n in range(50_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 200] = b"\xaa" * 200
    (tmp_path / "a.gz").write_bytes(packed)
    lines, bad = read(tmp_path / "a.gz")
    assert len(lines) > 10_000
    assert [each.cls for each in bad if each.cls != "undecodable" and each.cls != "nul_bytes"] == [
        "broken_gzip"
    ]
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"one\n") + b"rubbish")
    assert read(tmp_path / "b.gz")[0] == [(1, "one")]
    assert [each.cls for each in read(tmp_path / "b.gz")[1]] == ["broken_gzip"]


def test_members_one_behind_the_other_and_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 100_000)
    assert read(path) == ([(1, "one"), (2, "two")], [])


def test_a_missing_file_is_a_bad_item(tmp_path: Path) -> None:
    lines, bad = read(tmp_path / "none.txt")
    assert (lines, [each.cls for each in bad]) == ([], ["unreadable_file"])


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_50_mb_is_told_and_never_held(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.jsonl"
    if packed:
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(b'{"text": "first"}\n')
            for _ in range(50):
                file.write(b"x" * 1_000_000)
            file.write(b'\n{"text": "third"}\n')
    else:
        with path.open("wb") as file:
            file.write(b'{"text": "first"}\n')
            file.seek(50_000_000, 1)
            file.write(b'\n{"text": "third"}\n')
    tracemalloc.start()
    lines, bad = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == [(1, '{"text": "first"}'), (3, '{"text": "third"}')]
    assert [(each.place, each.cls) for each in bad] == [("a.jsonl:2", "line_too_long")]
    assert "50,000,000 bytes" in bad[0].message
    assert len(bad[0].excerpt) <= 80
    assert peak < 4 * MAX_LINE_BYTES


def test_a_long_line_at_the_end_without_line_break(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\n" + b"y" * (MAX_LINE_BYTES + 3_000_000))
    lines, bad = read(path)
    assert lines == [(1, "one")]
    assert [(each.place, each.cls) for each in bad] == [("a.txt:2", "line_too_long")]
    assert "13,000,000 bytes" in bad[0].message


def test_a_line_just_over_the_limit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"z" * (MAX_LINE_BYTES + 1) + b"\n" + b"w" * MAX_LINE_BYTES + b"\nend")
    lines, bad = read(path)
    assert [(number, len(text)) for number, text in lines] == [(2, MAX_LINE_BYTES), (3, 3)]
    assert [each.cls for each in bad] == ["line_too_long"]
