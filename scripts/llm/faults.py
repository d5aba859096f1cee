"""The ways to fail, each a function that a mode puts in the way of a correct answer.

There are three places for one. *Instead*: a coroutine that answers, and says whether it did.
*Tokens*: a generator that gets the words of the reply. *Pieces*: a generator that gets the bytes
of the body, one SSE event a piece, or the one JSON document of a call that does not stream.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Awaitable, Callable

from .asks import Ask, Exchange, encode
from .replies import last_user_text

SECRET = "sk-fake-7f3a-this-must-never-reach-a-user"
SURROGATE = "\ud800"
HUGE = "0123456789" * 30_000
SPLIT_PAUSE = 0.01
TOKENS_BEFORE_HANG = TOKENS_BEFORE_CUT = 5
PIECES_BEFORE_ERROR = 4

Instead = Callable[[Exchange], Awaitable[bool]]
Tokens = AsyncGenerator[str, None]
Pieces = AsyncGenerator[bytes, None]


def error(message: str, kind: str) -> dict[str, object]:
    """Return an error in the shape of the OpenAI API."""
    return {"error": {"message": message, "type": kind, "code": kind}}


async def forever() -> None:
    """Wait until cancelled, which is when the client leaves or the server is closed."""
    await asyncio.get_running_loop().create_future()


# Instead of an answer


def status(code: int, *, retry_after: int | None = None, first: int | None = None) -> Instead:
    """Answer with a status; with `first`, only that many calls with the same last user message."""

    async def instead(exchange: Exchange) -> bool:
        ask = exchange.ask
        key = (ask.model, last_user_text(ask.messages))
        exchange.log.attempts[key] += 1
        if first is not None and exchange.log.attempts[key] > first:
            return False
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        message = f"try again later ({SECRET})"
        await exchange.response.send_json(code, error(message, f"status_{code}"), headers)
        return True

    return instead


async def refuse(exchange: Exchange) -> bool:
    """Close the connection before any answer."""
    exchange.response.close()
    return True


async def hang(exchange: Exchange) -> bool:
    """Never answer."""
    await forever()
    return True


async def html_error(exchange: Exchange) -> bool:
    """Answer 500 with a page that quotes a secret, as debug pages do."""
    body = f"<html><body><h1>Internal error</h1><pre>key={SECRET}</pre></body></html>"
    await exchange.response.send(500, body.encode(), {"Content-Type": "text/html"})
    return True


async def redirect(exchange: Exchange) -> bool:
    """Redirect to another port of this server, which answers and logs who follows."""
    if exchange.elsewhere.endswith(f":{exchange.call.port}"):
        return False
    headers = {"Location": f"{exchange.elsewhere}/v1/chat/completions"}
    await exchange.response.send(307, b"", headers)
    return True


# Other tokens


async def hang_middle(ask: Ask, tokens: list[str]) -> Tokens:
    """Say some tokens, then nothing."""
    for token in tokens[:TOKENS_BEFORE_HANG]:
        yield token
    await forever()


async def endless(ask: Ask, tokens: list[str]) -> Tokens:
    """Say the reply again and again."""
    if not ask.stream:
        # Collecting what never ends would fill the memory.
        await forever()
    for token in itertools.cycle(tokens or ["word "]):
        yield token


async def huge(ask: Ask, tokens: list[str]) -> Tokens:
    """Say 300 kB at once."""
    yield HUGE


async def silence(ask: Ask, tokens: list[str]) -> Tokens:
    """Say nothing."""
    for token in tokens[:0]:
        yield token


def second(token: str) -> Callable[[Ask, list[str]], Tokens]:
    """Say this token after the first one."""

    async def instead(ask: Ask, tokens: list[str]) -> Tokens:
        for each in [*tokens[:1], token, *tokens[1:]]:
            yield each

    return instead


async def accented(ask: Ask, tokens: list[str]) -> Tokens:
    """Say some tokens, the last one with a long character."""
    for token in [*tokens[:TOKENS_BEFORE_CUT], " é"]:
        yield token


# Other bytes


async def hang_first(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Send nothing after the headers."""
    await forever()
    async for piece in pieces:
        yield piece


def cut_after(size: int) -> Callable[[Exchange, Pieces], Pieces]:
    """Reset the connection after so many bytes of body, or at the end of a shorter one."""

    async def reset(exchange: Exchange, pieces: Pieces) -> Pieces:
        left = size
        async for piece in pieces:
            yield piece[:left]
            left -= min(left, len(piece))
            if not left:
                break
        exchange.response.reset()

    return reset


async def cut_utf8(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Send the first byte of a long character, and the rest of it later."""
    async for piece in pieces:
        cut = _inside_character(piece)
        yield piece[:cut]
        if piece[cut:]:
            await asyncio.sleep(SPLIT_PAUSE)
            yield piece[cut:]


async def cut_utf8_end(exchange: Exchange, pieces: Pieces) -> Pieces:
    """End in the first long character of the last piece."""
    last = b""
    async for piece in pieces:
        yield last
        last = piece
    yield last[: _inside_character(last)]


async def malformed(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Write SSE that is correct by the letter, and one event whose JSON is broken."""
    noise = [
        b": a comment\n",
        b"event: message\nid: 7\nretry: 10\n",
        b'data: {"choices": [{"delta": {"content": "broken\n\n',
        b"unknown: field\nno colon at all\n:\n",
        b"\n\ndata\n",
    ]
    if exchange.ask.stream:
        yield b"\xef\xbb\xbf"
    async for piece in pieces:
        if exchange.ask.stream and piece.startswith(b"data: {"):
            yield noise.pop(0) if noise else b""
            lines = json.dumps(json.loads(piece[6:]), ensure_ascii=False, indent=1).split("\n")
            piece = "".join(f"data:{line}\n" for line in lines).encode() + b"\n"
        yield piece


def newline(ending: bytes) -> Callable[[Exchange, Pieces], Pieces]:
    """End lines in another way; the last byte of a piece comes in a write of its own."""

    async def replaced(exchange: Exchange, pieces: Pieces) -> Pieces:
        async for piece in pieces:
            piece = piece.replace(b"\n", ending)
            yield piece[:-1]
            yield piece[-1:]

    return replaced


async def error_event(exchange: Exchange, pieces: Pieces) -> Pieces:
    """Report an error after some tokens, with a status of 200 already sent."""
    broken = encode(error(f"the model crashed ({SECRET})", "server_error"))
    if not exchange.ask.stream:
        yield broken
        return
    for _ in range(PIECES_BEFORE_ERROR):
        yield await anext(pieces, b"")
    yield b"data: " + broken + b"\n\n"


def _inside_character(piece: bytes) -> int:
    """Return the place after the first byte of the first long character, or the end."""
    return next((i + 1 for i, byte in enumerate(piece) if byte >= 0x80), len(piece))
