"""A model server in threads of its own: what it does is not counted as chatd's."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class GatedModels:
    """Answers a call with as many chunks as are expected, each of them after one `go`."""

    def __init__(self, piece: str) -> None:
        self._chunks = 0
        self._gate = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(piece))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def expect(self, chunks: int) -> None:
        """Answer the next call with so many chunks."""
        self._chunks = chunks
        self._gate.clear()

    def go(self) -> None:
        """Let the next chunk come."""
        self._gate.set()

    def __enter__(self) -> GatedModels:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self, piece: str) -> type[BaseHTTPRequestHandler]:
        models = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = json.dumps({"data": [{"id": "gated"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for _ in range(models._chunks):
                    models._gate.wait()
                    models._gate.clear()
                    self._say({"delta": {"content": piece}})
                self._say({"delta": {}, "finish_reason": "stop"})
                self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

            def _say(self, choice: dict[str, Any]) -> None:
                event = b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
