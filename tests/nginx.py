"""A real nginx in front of a chatd: it asks for a password, and says in headers who came."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

NONE = "none: install it, or name one by CHATD_TEST_NGINX"
FETCHED = Path(__file__).parent.parent / ".nginx/usr/sbin/nginx"  # by scripts/test

CONFIGURATION = """
daemon off;
worker_processes 1;
{user}
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $remote_user $groups {{
        default "";
        alice "staff, chat-admins";
        bob "staff, admin";
    }}
    server {{
        listen 127.0.0.1:{port};
        auth_basic "chat";
        auth_basic_user_file {directory}/users;
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
            proxy_set_header X-Remote-User $remote_user;
            proxy_set_header X-Remote-Groups $groups;
        }}
    }}
}}
"""


def find_nginx() -> str | None:
    """Return the nginx to run, None if there is none."""
    found = os.environ.get("CHATD_TEST_NGINX") or shutil.which("nginx", path=_places())
    return found or (str(FETCHED) if FETCHED.is_file() else None)


def _places() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@contextlib.contextmanager
def proxying(directory: Path, upstream: str, **users: str) -> Iterator[str]:
    """Run an nginx before a server, for users with these passwords; yield its URL."""
    executable = find_nginx()
    assert executable is not None
    directory.mkdir(parents=True)
    passwords = [f"{name}:{{PLAIN}}{password}\n" for name, password in users.items()]
    (directory / "users").write_text("".join(passwords))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        # Started by root it would become somebody who may not read the test's directory.
        user = "user root root;" if os.geteuid() == 0 else ""
        text = CONFIGURATION.format(directory=directory, port=port, upstream=upstream, user=user)
        (directory / "nginx.conf").write_text(text)
        # It takes over what listens already, as at an upgrade of itself: nobody needs to wait.
        process = subprocess.Popen(
            [executable, "-p", str(directory), "-c", str(directory / "nginx.conf")],
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()  # not kill: the worker would go on without its master
            process.wait(20)
