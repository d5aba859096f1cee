"""The Dockerfile and compose.yaml name what exists: files, commands, settings, routes, services."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from mongod import free_port
from process import Process
from ruamel.yaml import YAML

from chatd.cli import COMMANDS
from chatd.config import load_config

ROOT = Path(__file__).parent.parent
Instruction = tuple[str, str]


def stages() -> dict[str, list[Instruction]]:
    """Return the instructions of each stage of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    found: dict[str, list[Instruction]] = {}
    for name, _, rest in (line.strip().partition(" ") for line in lines if line.strip()):
        if name == "FROM":
            found[rest.partition(" AS ")[2]] = stage = []
        stage.append((name, rest))
    return found


def one(stage: str, instruction: str) -> str:
    """Return what the last instruction of a kind says."""
    return [rest for name, rest in stages()[stage] if name == instruction][-1]


def compose() -> dict[str, Any]:
    """Return the services of compose.yaml."""
    services: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]
    return services


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    """Every file that the Dockerfile copies is there, and .dockerignore lets it in."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = {line[1:] for line in lines if line.startswith("!")}
    copied = set()
    for stage in stages().values():
        for name, rest in stage:
            if name == "COPY" and not rest.startswith("--from="):
                copied |= set(rest.split()[:-1])
    inside = {path.partition("/")[0] if path.startswith("web/") else path for path in copied}
    assert inside == admitted
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_last_stage_is_chatd() -> None:
    """`docker build .` makes the server; the model server is a target beside it."""
    assert list(stages()) == ["page", "build", "llm-server", "chatd"]


@pytest.mark.parametrize("stage", ["chatd", "llm-server"])
def test_an_image_runs_as_nobody_special(stage: str) -> None:
    """The last USER is a number that is not root's, so that an orchestrator can check it."""
    assert int(one(stage, "USER")) > 1000


def test_the_image_is_configured_with_settings_that_exist() -> None:
    """The names in ENV are settings, their values are good, and the command is one of chatd's."""
    words = shlex.split(one("chatd", "ENV"))
    given = dict(word.split("=", 1) for word in words)
    config = load_config(None, {k: v for k, v in given.items() if k.startswith("CHATD_")}, {})
    assert str(config.data_dir) == one("chatd", "VOLUME")
    assert str(config.server.port) == one("chatd", "EXPOSE")
    assert json.loads(one("chatd", "ENTRYPOINT")) == ["chatd"]
    assert json.loads(one("chatd", "CMD"))[0] in COMMANDS


def ask(stage: str, *change: str, **environ: str) -> int:
    """Run the command of a stage's HEALTHCHECK; return how it ended."""
    program, *arguments = json.loads(one(stage, "HEALTHCHECK").partition("CMD ")[2])
    assert program == "python"
    arguments = [text.replace(*change) if change else text for text in arguments]
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, timeout=30).returncode


def test_a_server_that_lives_is_healthy(server: Process) -> None:
    """The HEALTHCHECK of chatd finds the server on its port; on another it fails."""
    port = str(urlsplit(server.url).port)
    assert ask("chatd", CHATD_SERVER_PORT=port) == 0
    assert ask("chatd", CHATD_SERVER_PORT=str(free_port())) == 1


def test_a_model_server_that_lives_is_healthy() -> None:
    """The model server takes the options of CMD, and its HEALTHCHECK finds it."""
    port = one("llm-server", "EXPOSE")
    arguments = ["0" if text == port else text for text in json.loads(one("llm-server", "CMD"))]
    assert "0" in arguments
    command = [sys.executable, str(ROOT / "scripts" / "llm_server.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            free = running.stdout.readline().rpartition(":")[2].strip()
            assert ask("llm-server", f":{port}/", f":{free}/") == 0
        finally:
            running.terminate()


def test_services_are_configured_with_settings_that_exist() -> None:
    """compose.yaml sets what chatd reads, to values that it takes once a token is given."""
    given = {
        name: re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}", r"\1", text) or "secret"
        for name, text in compose()["chatd"]["environment"].items()
    }
    config = load_config(None, given, {})
    assert config.warnings == ()
    assert given["CHATD_TOKEN"] == "secret"


def test_services_find_each_other() -> None:
    """The hosts in the URLs are services, on the ports where these listen; targets are stages."""
    services = compose()
    environ = services["chatd"]["environment"]
    store = urlsplit(environ["CHATD_STORE"])
    assert store.hostname in services
    replica_set = dict(parse_qsl(store.query))["replicaSet"]
    command = services["mongodb"]["command"]
    assert command[command.index("--replSet") + 1] == replica_set
    (_, probe) = services["mongodb"]["healthcheck"]["test"][-2:]
    assert f'_id: "{replica_set}"' in probe
    assert f'host: "{store.hostname}:27017"' in probe
    (model_server,) = re.findall(r"http://[^}]*", environ["LLM_SERVER_URL"])
    assert urlsplit(model_server).hostname == "llm-server"
    assert str(urlsplit(model_server).port) == one("llm-server", "EXPOSE")
    assert services["llm-server"]["build"]["target"] in stages()
    assert set(services["chatd"]["depends_on"]) <= set(services)


def test_data_is_kept_and_the_server_gets_time_to_stop() -> None:
    """The volume lies where the image keeps its data; Docker waits longer than the grace."""
    service = compose()["chatd"]
    (volume,) = service["volumes"]
    assert volume.partition(":")[2] == one("chatd", "VOLUME")
    (port,) = service["ports"]
    assert port.rpartition(":")[2] == one("chatd", "EXPOSE")
    grace = float(service["stop_grace_period"].removesuffix("s"))
    assert grace > load_config(None, {}, {}).server.shutdown_grace
