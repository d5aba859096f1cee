"""What the page is made of, and how it is delivered."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from harness import Script, chatting

from chatd.handlers import page

ROOT = Path(__file__).parents[2]
BUILT = pytest.mark.skipif(not page.INDEX.exists(), reason="THE PAGE IS NOT BUILT: scripts/page")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
FIRST_LOAD = 250_000  # bytes of JavaScript, compressed


def loaded() -> list[str]:
    """Return the paths of the scripts and styles that the page begins with."""
    text = page.INDEX.read_text(encoding="utf-8")
    return re.findall(r'(?:src|href)="(/static/page/[^"]+\.(?:js|css))"', text)


@BUILT
def test_the_first_load_is_small() -> None:
    """Scripts that the page begins with, and those they import, are less than 250 kB compressed."""
    todo = [Path(path).name for path in loaded() if path.endswith(".js") and "/assets/" in path]
    assert todo
    found: set[str] = set()
    size = 0
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        text = (page.INDEX.parent / "assets" / name).read_text(encoding="utf-8")
        size += len(gzip.compress(text.encode()))
        # Not `import(...)`: that is loaded when it is wanted.
        todo += re.findall(r'(?:from|import)\s*"\./([^"]+\.js)"', text)
    assert size < FIRST_LOAD, f"{size} bytes in {sorted(found)}"


@BUILT
async def test_files_are_kept_and_the_page_is_not(tmp_path: Path) -> None:
    """Files with hashed names are kept for ever, and sent compressed to those who take it."""
    async with chatting(tmp_path, Script()) as chat, httpx.AsyncClient() as http:
        index = await http.get(f"{chat.url}/")
        assert index.headers["Cache-Control"] == "no-cache"
        assert "'unsafe-inline'" not in index.headers["Content-Security-Policy"]
        assert "<style" not in index.text
        assert re.findall(r"<script(?![^>]* src=)", index.text) == []
        etag = {"If-None-Match": index.headers["ETag"]}
        assert (await http.get(f"{chat.url}/", headers=etag)).status_code == 304
        roundabout = await http.get(f"{chat.url}/static/page/assets/%2e%2e/index.html")
        assert roundabout.headers["Cache-Control"] == "no-cache"
        for path in (path for path in loaded() if "/assets/" in path):
            plain = await http.get(f"{chat.url}{path}", headers={"Accept-Encoding": "identity"})
            small = await http.get(f"{chat.url}{path}", headers={"Accept-Encoding": "gzip"})
            assert plain.content == small.content
            assert "Content-Encoding" not in plain.headers
            assert small.headers["Content-Encoding"] == "gzip"
            assert int(small.headers["Content-Length"]) < len(plain.content)
            assert plain.headers["ETag"] != small.headers["ETag"]
            for answer in (plain, small):
                assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert answer.headers["Content-Type"].startswith(("text/javascript", "text/css"))


@BUILT
async def test_the_page_knows_the_prefix(tmp_path: Path) -> None:
    """Where the REST interface is stands in the page, as the setting says."""
    setting = {"CHATD_SERVER_PREFIX": "/a/b"}
    async with chatting(tmp_path, Script(), **setting) as chat, httpx.AsyncClient() as http:
        text = (await http.get(f"{chat.url}/")).text
    assert '<meta name="chatd-prefix" content="/a/b">' in text


def test_the_policy_is_documented() -> None:
    """docs/page.md shows the content policy as it is sent."""
    words = (ROOT / "docs" / "page.md").read_text(encoding="utf-8").split()
    assert page.POLICY in " ".join(words)


def test_a_page_that_is_not_built() -> None:
    """Without the page there is a sentence that says how to get it."""
    text = page.index_page("/ai-chat", 0).decode()
    assert "The page is not built" in text
    assert 'href="/docs"' in text


@BUILT
def test_a_wheel_has_the_page(tmp_path: Path) -> None:
    """A wheel has every file of the page, and an sdist would have what it is built from."""
    config = tmp_path / "extra.cfg"
    config.write_text(f"[build]\nbuild_base={tmp_path}\n[egg_info]\negg_base={tmp_path}\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DIST_EXTRA_CONFIG": str(config)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        inside = set(file.namelist())
    folder = ROOT / "chatd" / "static"
    files = {f"chatd/static/{f.relative_to(folder)}" for f in folder.rglob("*") if f.is_file()}
    assert files - inside == set()
    (listing,) = tmp_path.glob("*.egg-info/SOURCES.txt")
    sources = set(listing.read_text().splitlines())
    assert {"scripts/page", "setup.py", "web/package-lock.json", "web/app/src/main.tsx"} <= sources
    assert [name for name in sources if "node_modules" in name] == []
