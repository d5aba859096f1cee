"""Secrets in the configuration: where they are taken from, and how they stay out of sight."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

HIDDEN = "***"

_SECRET_NAME = re.compile(r"key|passw|secret|token|auth|cookie|credential", re.IGNORECASE)
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

    Hidden are the texts in `known`, what a URL says before its host, and with `by_name` every text
    under a name that sounds like a secret's.
    """
    match value:
        case str():
            return HIDDEN if value in known else _redact_url(value)
        case dict():
            return {
                key: _hide(item)
                if by_name and _SECRET_NAME.search(key)
                else redact(item, known, by_name=by_name)
                for key, item in value.items()
            }
        case list() | tuple():
            return [redact(item, known, by_name=by_name) for item in value]
    return value


def _redact_url(text: str) -> str:
    return _SECRET_PARAMETER.sub(rf"\1={HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))


def _hide(value: Any) -> Any:
    match value:
        case str():
            return HIDDEN
        case dict():
            return {key: _hide(item) for key, item in value.items()}
        case list():
            return [_hide(item) for item in value]
    return value
