"""Check digits and ranges, against published example numbers."""

from __future__ import annotations

import pytest

from zhiling.curation import identifiers


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "3782-822463-10005", "6200000000000005", "４１１１111111111111"]
)
def test_cards(number: str) -> None:
    assert identifiers.is_card(number)
    last = (int(identifiers.digits_of(number)[-1]) + 1) % 10
    assert not identifiers.is_card(number[:-1] + str(last))


def test_a_card_of_an_unknown_network_needs_the_word() -> None:
    assert not identifiers.is_card("180016070420458")
    assert identifiers.is_card("180016070420458", announced=True)


def test_resident_ids() -> None:
    assert identifiers.is_resident_id("11010519491231002X")
    assert identifiers.is_resident_id("110105 19491231 002x")
    assert not identifiers.is_resident_id("110105194912310021")
    assert not identifiers.is_resident_id("11010519491231002")


def test_ibans_end_where_their_country_says() -> None:
    assert identifiers.iban_length("GB29 NWBK 6016 1331 9268 19 THANKS") == 27
    assert identifiers.iban_length("DE89370400440532013000") == 22
    assert identifiers.iban_length("DE88370400440532013000") is None
    assert identifiers.iban_length("ZZ89370400440532013000") is None
    assert identifiers.iban_length("DE89 3704") is None


def test_addresses() -> None:
    assert identifiers.is_ipv4("203.0.113.7")
    assert not any(map(identifiers.is_ipv4, ["127.0.0.1", "0.0.0.0", "255.255.255.0", "1.2.3.400"]))
    assert identifiers.is_ipv6("2001:db8:1f::3a2")
    assert not any(map(identifiers.is_ipv6, ["::1", "a::b", "10:30:00", "aa:bb:cc:dd:ee:ff"]))
