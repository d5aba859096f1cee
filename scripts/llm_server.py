"""An OpenAI-compatible model server for the development and the tests of chatd.

    python scripts/llm_server.py [--port 8001] [--pace MS] [--key KEY] [--log FILE] [--like KIND]

It prints one line, `listening on http://HOST:PORT`, when it is ready. In a test's own event loop:

    from scripts.llm import LlmServer, reply_to, tokens

    async with LlmServer() as server:
        ...                                    # server.url + "/v1/chat/completions"
        await server.wait_for(lambda calls: calls and calls[-1].end == "dropped")

A reply can be computed: its text is `reply_to(messages)`, its deltas are `tokens(text)`. Directives
in the last user message change it; one space after each belongs to it:

    [words:N]         the reply has exactly N words, numbered
    [echo]            the reply is the message without its directives, whatever [words] says
    [reasoning]       REASONING is streamed as reasoning_content first
    [pace:MS]         milliseconds between tokens
    [mode:NAME]       this mode (see below), whatever the model
    [call:NAME ARGS]  with the model `tools`: call this tool with these arguments, sent as they are
                      (a JSON object that may be broken, without "}]" inside; left out: an example
                      made from the tool's schema); several directives make several calls

The model name chooses a mode: `qwen3:8b` simply works, the others fail on purpose. The table is
MODES in scripts/llm/modes.py, and GET /v1/models lists it. An unknown model is a 404, so that a
misspelt mode does not pass for success. `refuse` is one call that gets no answer; a connection
that is really refused is a closed port.

With --like it tells of its models what that kind of server does, in the list and in an API of its
own (scripts/llm/kinds.py): ollama, vllm, llama.cpp, lm-studio, lm-studio-v0, litellm, openrouter.

    GET /v1/models, POST /v1/chat/completions    need the key, if there is one
    GET /health
    GET /log, DELETE /log    every call: body, headers, and how it ended; `now` is on the same clock
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from llm import KINDS, LlmServer


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 picks a free one")
    parser.add_argument("--pace", type=float, default=0, help="milliseconds between tokens")
    parser.add_argument("--key", help="required as a bearer token")
    parser.add_argument("--like", choices=KINDS, help="the kind of server to be like")
    parser.add_argument("--log", type=Path, help="appends a line of JSON for each ended call")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    server = LlmServer(
        options.host,
        options.port,
        pace=options.pace,
        key=options.key,
        log_file=options.log,
        kind=options.like,
    )
    async with server:
        print(f"listening on {server.url}", flush=True)
        await stop.wait()


def main() -> None:
    """Run the command."""
    options = parse(sys.argv[1:])
    try:
        asyncio.run(serve(options))
    except OSError as exc:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {exc.strerror}")


if __name__ == "__main__":
    main()
