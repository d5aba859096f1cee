"""The words of a text: what a search looks for, the same for every store.

The stores' engines cut texts in ways of their own and know no words in scripts without spaces. So
they are given words that are cut and folded here, with spaces between them. Case, diacritics and
compatibility forms (full width, ligatures) are folded. A character of Chinese, Japanese, Korean,
Thai, Lao, Burmese or Khmer is a word by itself, and so is an emoji: what stands together in a query
must then stand together in the text, which finds every part of a run of them. The voice mark of a
kana, if it is a character of its own, belongs to it.

What this module returns for a text is in the stores' indexes: a change needs a migration.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 128  # characters of a word; the rest of a longer one (Base64, hexadecimal) does not count
# What is searched of one text: its beginning, as far as it has no more different words. Each is a
# key of MongoDB's index, and one document may have 100,000 of them, or what its cache holds.
MOST_WORDS, MOST_CHARACTERS = 20_000, 2**20

_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao; Burmese; Khmer
    "\u2600-\u27bf\U0001f300-\U0001faff"  # symbols, emoji
    "\u3005-\u3007\u3040-\u30ff\u3100-\u312f\uff66-\uff9f"  # kana, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # ideographs
    "\uac00-\ud7af"  # Hangul
)
# Marks that \w does not know: they part no word. Those of the first row fold away.
_FOLDED = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0640\u064b-\u065f\u0670"
_MARKS = _FOLDED + "\u0900-\u0963\u0966-\u0dff"
_VOICES = "\u3099\u309a\uff9e\uff9f"  # what makes "ga" of "ka", behind it
_WORD = re.compile(f"[{_ALONE}][{_VOICES}]?|(?:[^\\W_{_ALONE}]|[{_MARKS}])+")
_ASCII_WORD = re.compile("[a-z0-9]+")
# Compatibility forms may hold what parts words: "⑴" is "(1)".
_DROPPED = re.compile(f"[{_FOLDED}]|[\\x00-/:-@\\[-`{{-\\x7f]|\\s")


class Word(NamedTuple):
    """A folded word, and where in the text it stands: code points from `start` to before `end`."""

    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Yield the words of a text in order."""
    for match in _WORD.finditer(text):
        folded = _fold(match[0])
        if folded:
            yield Word(folded, match.start(), match.end())


def searchable(text: str) -> str:
    """Return the words of a text with a space before, between and behind them, or nothing."""
    text = text[:MOST_CHARACTERS]
    if text.isascii():
        found = [word[:LONGEST] for word in _ASCII_WORD.findall(text.lower())]
    else:
        found = [folded for word in _WORD.findall(text) if (folded := _fold(word))]
    if len(found) > MOST_WORDS:
        found = _beginning(found)
    line = " ".join(found)
    if len(line) > MOST_CHARACTERS:  # one character may be a sentence
        line = line[:MOST_CHARACTERS].rpartition(" ")[0]
    return f" {line} " if line else ""


def _beginning(found: list[str]) -> list[str]:
    """Return words up to the first that is one too many."""
    known: set[str] = set()
    for place, word in enumerate(found):
        known.add(word)
        if len(known) > MOST_WORDS:
            return found[:place]
    return found


def phrases(query: str) -> list[tuple[str, ...]]:
    """Return what a query asks for: for each piece without spaces the words that stand together.

    Punctuation means nothing, so no query can speak the language of a store's engine.
    """
    pieces = (tuple(word.text for word in words(piece)) for piece in query.split())
    return list(dict.fromkeys(piece for piece in pieces if piece))


def _fold(word: str) -> str:
    if word.isascii():
        return word.lower()[:LONGEST]
    # The same words come again and again, most of all those that are one character.
    return _folded(word) if len(word) < LONGEST else _folded.__wrapped__(word)


@functools.lru_cache(maxsize=1 << 14)
def _folded(word: str) -> str:
    plain = _DROPPED.sub("", unicodedata.normalize("NFKD", word).casefold())
    return unicodedata.normalize("NFC", plain)[:LONGEST]
