"""How Sphinx builds the documentation: `sphinx-build -W --keep-going -n docs DIRECTORY`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Comment, Generic, Keyword, Name, String, Text

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_VERSION = re.compile(r"^version = (.*)$", re.MULTILINE)

project = "chatd"
author = "The chatd authors"
project_copyright = author
(version,) = _VERSION.findall((Path(__file__).parent.parent / "setup.cfg").read_text())
release = version

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"chatd {version}"
html_show_copyright = False


class TranscriptLexer(RegexLexer):
    """Colours for what a client and a server say on a socket: see tests/transcripts.py."""

    name = "WebSocket transcript"
    aliases = ("websocket",)  # type: ignore[assignment]
    tokens = {  # noqa: RUF012
        "root": [
            (r"^(#.*)(\n)", bygroups(Comment, Text)),
            (r"^(connect|closed|close)(.*\n)", bygroups(Keyword, Text)),
            (r"^[<>] ", Generic.Prompt),
            (r'("[^"\n]*")(:)', bygroups(Name.Tag, Text)),
            (r'"[^"\n]*"', String),
            (r"[^\"\n]+|\n", Text),
        ]
    }


def setup(app: Sphinx) -> None:
    """Add the lexer."""
    app.add_lexer("websocket", TranscriptLexer)
