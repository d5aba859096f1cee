"""Runs the Autobahn Testsuite against an echo on chatd's own WebSocket stack, and judges it.

The suite wants an endpoint that sends back what it gets; chatd's sockets speak JSON. So the echo
here is one more handler of chatd's own application: its base class, its protocol, its settings, but
for a larger limit of messages, as the suite sends 16 MiB. Use scripts/autobahn, which installs it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from chatd.app import App
from chatd.config import load_config
from chatd.handlers.keeper import Keeper
from chatd.handlers.sockets import Socket
from chatd.web import make_application

LARGEST = 16 * 1024 * 1024
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}

# Cases that do not pass, by the start of their number, and why.
KNOWN: dict[str, str] = {}


class Echo(Socket):
    """Sends back what it gets."""

    kind = "session"

    async def prepare(self) -> None:
        """Let everybody in."""

    async def open(self, *args: str) -> None:
        """Join nothing."""
        self.set_nodelay(True)

    async def on_message(self, message: str | bytes) -> None:
        """Send it back."""
        await self.write_message(message, isinstance(message, bytes))


async def run(wstest: str, reports: Path, cases: list[str]) -> dict[str, Any]:
    """Run the suite against the echo; return what it reports of each case."""
    with tempfile.TemporaryDirectory() as data_dir:
        environ = {"CHATD_DATA_DIR": data_dir, "CHATD_LIMITS_FRAME_BYTES": str(LARGEST)}
        async with App(load_config(None, environ, {})) as app:
            keeper = Keeper(most=0, most_per_user=0)
            application = make_application(app, keeper)
            application.add_handlers(".*", [("/echo", Echo, {"app": app, "keeper": keeper})])
            server = HTTPServer(application)
            sockets = bind_sockets(0, "127.0.0.1")
            server.add_sockets(sockets)
            url = f"ws://127.0.0.1:{sockets[0].getsockname()[1]}/echo"
            try:
                await _fuzz(wstest, url, reports, cases)
            finally:
                server.stop()
                await server.close_all_connections()
    return _reported(reports)


def _reported(reports: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reports / "index.json").read_text())["chatd"]
    return found


async def _fuzz(wstest: str, url: str, reports: Path, cases: list[str]) -> None:
    path = _specify(url, reports, cases)
    process = await asyncio.create_subprocess_exec(wstest, "-m", "fuzzingclient", "-s", str(path))
    if await process.wait():
        sys.exit("autobahn: the suite itself failed")


def _specify(url: str, reports: Path, cases: list[str]) -> Path:
    """Write down what the suite shall do; return the file."""
    reports.mkdir(parents=True, exist_ok=True)
    specification = {
        "outdir": str(reports),
        "servers": [{"agent": "chatd", "url": url}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    path = reports / "specification.json"
    path.write_text(json.dumps(specification))
    return path


def judge(found: dict[str, Any]) -> list[str]:
    """Return a line for each case that did not pass and is not known, or is known and passed."""
    lines = []
    for case, result in found.items():
        verdicts = {result["behavior"], result["behaviorClose"]}
        reason = next((why for start, why in KNOWN.items() if _is_in(case, start)), None)
        if verdicts <= PASSED:
            if reason:
                lines.append(f"{case} passes, though it is known not to: {reason}")
        elif not reason:
            lines.append(f"{case}: {result['behavior']}, closing {result['behaviorClose']}")
    return lines


def _is_in(case: str, start: str) -> bool:
    return f"{case}.".startswith(f"{start}.")


def main() -> None:
    """Run the suite, print the numbers, and fail for what is not known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wstest", help="the suite's program")
    parser.add_argument("--reports", type=Path, default=Path("build/autobahn"))
    parser.add_argument("--cases", nargs="+", default=["*"], help="such as 6.* (all)")
    arguments = parser.parse_args()
    found = asyncio.run(run(arguments.wstest, arguments.reports, arguments.cases))
    counts: dict[str, int] = {}
    for result in found.values():
        counts[result["behavior"]] = counts.get(result["behavior"], 0) + 1
    print(f"autobahn: {len(found)} cases:", ", ".join(f"{n} {v}" for v, n in counts.items()))
    lines = judge(found)
    print("\n".join(lines) or "autobahn: as known")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
