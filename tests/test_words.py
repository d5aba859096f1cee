"""The words of a text, as searches and their indexes know them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.words import LONGEST, MOST_CHARACTERS, MOST_WORDS, phrases, searchable, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("... *", ""),
        ("Tea & Coffee", " tea coffee "),
        ("Éclair, cafe\u0301", " eclair cafe "),
        ("Straße İstanbul ﬁne", " strasse istanbul fine "),
        ("ＦＵＬＬ ⑴", " full 1 "),
        ("foo_bar 3.14", " foo bar 3 14 "),
        ("東京 tower", " 東 京 tower "),
        ("ﾊﾟﾝ ﾊﾞ カ\u3099 ハ", " パ ン バ ガ ハ "),
        ("がんばる", " が ん ば る "),
        ("й ё", " и е "),
        ("👍🏽ok", " 👍 🏽 ok "),
        ("x" * 500, f" {'x' * LONGEST} "),
    ],
)
def test_searchable(text: str, expected: str) -> None:
    """A text becomes its folded words between spaces."""
    assert searchable(text) == expected


def test_the_beginning_of_a_text_is_searched() -> None:
    """A text has as many different words as an index takes, however often each, and an end."""
    many = [f"{number}" for number in range(MOST_WORDS + 1)]
    assert searchable(" ".join(many)).split() == many[:-1]
    often = ["word", "Wört"] * MOST_WORDS
    assert searchable(" ".join(often)).split() == ["word", "wort"] * MOST_WORDS
    assert searchable("x" * MOST_CHARACTERS + " behind") == f" {'x' * LONGEST} "
    long = searchable("\ufdfa " * (MOST_CHARACTERS // 4))
    assert MOST_CHARACTERS - LONGEST < len(long) <= MOST_CHARACTERS + 2
    assert len(set(long.split())) == 1


def test_phrases() -> None:
    """A query is cut at its spaces; each piece asks for its words to stand together, once."""
    query = 'tea  e-mail 東京 tea "NEAR" * -x'
    assert phrases(query) == [("tea",), ("e", "mail"), ("東", "京"), ("near",), ("x",)]


@given(st.text())
def test_every_text_finds_itself(text: str) -> None:
    """Whatever a text holds, a query of it asks for words that it has, and nothing else."""
    indexed = searchable(text)
    assert all(f" {' '.join(phrase)} " in indexed for phrase in phrases(text))
    assert indexed.split() == [word.text for word in words(text)]
    assert not set('"*\\') & set(indexed)
    assert all(text[word.start : word.end] for word in words(text))
