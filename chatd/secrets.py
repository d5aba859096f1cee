"""Secrets in the configuration: where they are taken from, and how they stay out of sight."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

HIDDEN = "***"

# What is sent with each call to a server is somebody's credential more often than not.
_SECRET_NAME = re.compile(
    r"key|passw|secret|token|auth|cookie|credential|\Aheaders\Z", re.IGNORECASE
)
_LONG_ENOUGH = 6  # characters of a secret that is looked for inside of other texts
_USERINFO = re.compile(r"(?<=://)\S*@")
_SECRET_PARAMETER = re.compile(
    r"(?<=[?&])([^=&\s]*(?:key|passw|secret|token)[^=&\s]*)=[^&\s]*", re.I
)


class SecretReader:
    """Replaces `{ env = "NAME" }` and `{ file = "path" }`, and notes what it put there."""

    def __init__(self, environ: Mapping[str, str], file: Path) -> None:
        """Take the file that holds the references; relative paths start from its directory."""
        self.found: set[str] = set()
        self.problems: list[str] = []
        self._environ = environ
        self._of = file

    def resolve(self, value: Any, where: str) -> Any:
        """Return the value with all references in it replaced; `where` names it in problems."""
        match value:
            case {"env": str(name)} if len(value) == 1:
                return self._variable(name, where)
            case {"file": str(path)} if len(value) == 1:
                return self._file(self._of.absolute().parent / Path(path).expanduser(), where)
            case dict():
                return {key: self.resolve(item, f"{where}.{key}") for key, item in value.items()}
            case list():
                return [self.resolve(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return value

    def _variable(self, name: str, where: str) -> str:
        if name not in self._environ:
            self._complain(where, f"the environment variable {name} is not set")
        return self._note(self._environ.get(name, ""))

    def _file(self, path: Path, where: str) -> str:
        try:
            return self._note(path.read_text("utf-8").strip())
        except OSError as exc:
            self._complain(where, f"{path} cannot be read ({exc.strerror})")
        except UnicodeDecodeError:
            self._complain(where, f"{path} is not text in UTF-8")
        return ""

    def _complain(self, where: str, problem: str) -> None:
        self.problems.append(f"{where} in {self._of}: {problem}")

    def _note(self, text: str) -> str:
        self.found.update({text} - {""})
        return text


def redact(value: Any, known: Collection[str] = (), *, by_name: bool = True) -> Any:
    """Return a copy in which secrets are hidden.

    Hidden are the texts in `known`, also as a part of others or as what was made of them, what a
    URL says before its host, and with `by_name` every text under a name that sounds like that of a
    secret.
    """
    match value:
        case None | bool():
            return value
        case str():
            return _redact_url(_without(value, known))
        case dict():
            return {
                key: _hide(item)
                if by_name and _SECRET_NAME.search(str(key))
                else redact(item, known, by_name=by_name)
                for key, item in value.items()
            }
        case list() | tuple():
            return [redact(item, known, by_name=by_name) for item in value]
        case int() | float():
            return HIDDEN if str(value) in known else value
    # A pattern, a path, a set: what a plugin's schema has made of texts.
    text = str(value)
    return HIDDEN if any(secret in text for secret in known) else value


def _without(text: str, known: Collection[str]) -> str:
    if text in known:
        return HIDDEN
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _LONG_ENOUGH:
            text = text.replace(secret, HIDDEN)
    return text


def _redact_url(text: str) -> str:
    return _SECRET_PARAMETER.sub(rf"\1={HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))


def _hide(value: Any) -> Any:
    match value:
        case str():
            return HIDDEN
        case dict():
            return {key: _hide(item) for key, item in value.items()}
        case list() | tuple():
            return [_hide(item) for item in value]
        case bytes():
            return HIDDEN
    return value
