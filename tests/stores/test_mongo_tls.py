"""MongoDB over TLS, with certificates made here: what the URL says is what is checked."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mongod
import pytest
from stored import ALICE, a_turn, add

from chatd.errors import StoreUnavailable
from chatd.stores import open_store
from chatd.types import now

CERTIFICATE = """
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1
    -subj /CN=chatd-test -addext"""
WITHIN = "timeoutMS=500"


def certificate(directory: Path, name: str, host: str) -> Path:
    """Make a certificate that vouches for itself; return the file with it and its key."""
    key, cert = directory / f"{name}.key", directory / f"{name}.crt"
    command = [*CERTIFICATE.split(), f"subjectAltName={host}", "-keyout", str(key), "-out"]
    subprocess.run([*command, str(cert)], check=True, capture_output=True)
    both = directory / f"{name}.pem"
    both.write_text(cert.read_text() + key.read_text())
    return both


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[mongod.Mongod, Path]]:
    """A standalone mongod that takes TLS alone, and the certificate to know it by."""
    binary = mongod.find_mongod()
    if binary is None:
        pytest.skip(mongod.NONE)
    directory = tmp_path_factory.mktemp("tls")
    pem = certificate(directory, "server", "IP:127.0.0.1")
    options = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(pem)]
    options += ["--tlsCAFile", str(pem), "--tlsAllowConnectionsWithoutCertificates"]
    server = mongod.Mongod(binary, directory / "db", *options)
    try:
        yield server, pem
    finally:
        server.kill()


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_server_that_takes_tls_alone(
    server: tuple[mongod.Mongod, Path], driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `tls` and the authority's certificate in the URL everything works as without TLS."""
    monkeypatch.setenv("CHATD_MONGO_DRIVER", driver)
    running, pem = server
    store = open_store(f"mongodb://{running.address}/{driver}?tls=true&tlsCAFile={pem}")
    await store.open()
    session = await add(store, created_at=now())
    messages = await a_turn(store, session)
    assert (await store.list_messages(ALICE.id, session.id)).results == messages
    await store.aclose()


# PyMongo (4.20) leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("options", ["", "tls=true&", "tls=true&tlsCAFile={other}&"])
async def test_a_server_that_cannot_be_known_is_not_used(
    server: tuple[mongod.Mongod, Path], tmp_path: Path, options: str
) -> None:
    """Without TLS, and with a certificate of an authority that is not the one named: refused."""
    running, _ = server
    other = certificate(tmp_path, "other", "IP:127.0.0.1")
    store = open_store(f"mongodb://{running.address}/x?{options.format(other=other)}{WITHIN}")
    with pytest.raises(StoreUnavailable):
        await store.open()
    gc.collect()
