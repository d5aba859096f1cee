"""What must not get to a model does not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from faces import configured
from harness import Script, chatting

from chatd.errors import ConfigError
from chatd.plugins import Plugins

TABLE = """
[plugins]
enabled = ["auth_token", "redact"]
[[plugins.redact.rules]]
pattern = '\\b\\d{4}-\\d{4}\\b'
replacement = '\\1 <card>'
[[plugins.redact.rules]]
pattern = '(?i)\\bsecret\\b'
"""
CATASTROPHIC = """
[plugins]
enabled = ["auth_token", "redact"]
[plugins.redact]
seconds = 0.3
[[plugins.redact.rules]]
pattern = '(x+x+)+y'
"""


async def test_prompts_are_redacted(tmp_path: Path) -> None:
    """All messages of a prompt are gone through, the system prompt too; what is stored is not."""
    script = Script()
    async with chatting(tmp_path, script, **configured(tmp_path, TABLE)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session(system_prompt="A SECRET.")
        await alice.send(session_id, "pay with 1234-5678")
        await alice.send(session_id, "and again")
        stored = await alice.messages(session_id)
    first, second = ([m.content for m in prompt.messages] for prompt in script.prompts)
    assert first == ["A [redacted].", "pay with \\1 <card>"]
    assert second == ["A [redacted].", "pay with \\1 <card>", "hello world", "and again"]
    assert stored[0]["content"] == "pay with 1234-5678"


async def test_a_catastrophic_pattern_fails_closed(tmp_path: Path) -> None:
    """A pattern that takes too long sends nothing, and holds up nobody meanwhile."""
    script = Script()
    async with chatting(tmp_path, script, **configured(tmp_path, CATASTROPHIC)) as chat:
        alice = await chat.client("alice")
        session_id = await alice.new_session()
        begun = time.monotonic()
        failed = await alice.call(
            "POST",
            f"/sessions/{session_id}/send_message/",
            502,
            json={"message": "x" * 3000 + "zy"},
        )
        assert time.monotonic() - begun < 20
    assert failed["code"] == "prompt_failed"
    assert "cannot be checked in time" in failed["detail"]
    assert script.prompts == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, r"rules in chatd\.toml: Missing data"),
        ({"rules": []}, r"rules in chatd\.toml"),
        ({"rules": [{"pattern": "(a"}]}, r"rules\.0\.pattern in chatd\.toml: '\(a' is no pattern"),
        ({"rules": [{"pattern": "a*"}]}, r"rules\.0\.pattern.*'a\*' matches where there is noth"),
        ({"rules": [{"patern": "a"}]}, r"rules\.0\.patern"),
        ({"rules": [{"pattern": "a"}], "seconds": 0}, r"seconds"),
    ],
)
def test_a_bad_pattern_ends_the_start(table: dict[str, object], said: str) -> None:
    """What is wrong with the rules is said in a sentence with the place."""
    with pytest.raises(ConfigError, match=rf"\[plugins\.redact\] {said}"):
        Plugins(["redact"], tables={"redact": table}, file=Path("chatd.toml"))
