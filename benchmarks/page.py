"""How busy the page keeps the browser's main thread: a long reply, scrolling and typing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from chatd import accounts
from chatd.app import App
from chatd.config import load_config
from chatd.hookspecs import hookimpl
from chatd.provider import ModelInfo, Prompt, Provider
from chatd.server import listening
from chatd.testing.server import QUICK

CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TRACED = ["disabled-by-default-devtools.timeline", "devtools.timeline", "blink.user_timing"]
MARKS = BEGIN, END = "chatd.begin", "chatd.end"
TOKENS = 20_000
PER_SECOND = 100
LONG = 50.0  # milliseconds: a longer task is felt
SECTION = """## Section {n}

This is paragraph **{n}** of a long reply, with `code`, a [link](https://example.org/{n}), and as
many words as a model writes before it comes to its point; $x_{{{n}}}^2$ is a formula.

- one point, which matters
- another one, with *emphasis*
  1. and details
  2. of it

```python
def step_{n}(items: list[int]) -> int:
    \"\"\"Return what step {n} makes of the items.\"\"\"
    return sum(item * {n} for item in items if item > {n})
```

| name | value |
|------|------:|
| a    | {n}   |
| b    | 2     |

"""


def tokens(count: int) -> Iterator[str]:
    """Give a long text in pieces of about four characters."""
    text = ""
    for section in range(count):
        text += SECTION.format(n=section)
        while len(text) >= 4:
            yield text[:4]
            text = text[4:]
            count -= 1
            if count <= 0:
                return


class Paced(Provider):
    """Replies with so many tokens at once, and then with others at a pace."""

    name = "paced"

    def __init__(self) -> None:
        self.at_once, self.paced = 0, 0

    @hookimpl
    def register_providers(self) -> list[Provider]:
        """Add itself."""
        return [self]

    async def models(self) -> list[ModelInfo]:
        """Return one model."""
        return [ModelInfo(name="model")]

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Yield the tokens."""
        for at, token in enumerate(tokens(self.at_once + self.paced)):
            if at >= self.at_once:
                await asyncio.sleep(1 / PER_SECOND)
            yield token


class Shown:
    """A page that shows a session, in a browser."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.browser, self.page = browser, page

    @contextlib.asynccontextmanager
    async def traced(self) -> AsyncIterator[list[tuple[float, float]]]:
        """Collect the main thread's tasks: milliseconds that passed, and of the processor.

        Not those in which Chromium begins and ends to trace: these may take more than all others.
        """
        tasks: list[tuple[float, float]] = []
        await self.browser.start_tracing(page=self.page, categories=TRACED)
        await self.page.evaluate(f"performance.mark('{BEGIN}')")
        yield tasks
        await self.page.evaluate(f"performance.mark('{END}')")
        trace = json.loads(await self.browser.stop_tracing())["traceEvents"]
        tasks += main_thread_tasks(trace)

    async def frames(self) -> list[float]:
        """Scroll through the thread from its end to its beginning; return the frames' lengths."""
        return list(await self.page.evaluate(SCROLLED))

    async def send(self, text: str) -> None:
        """Send a message."""
        await self.page.get_by_label("Message", exact=True).fill(text)
        await self.page.keyboard.press("Enter")


SCROLLED = """async () => {
  const thread = document.querySelector(".thread-scroll");
  const lengths = [];
  let before = await new Promise(requestAnimationFrame);
  while (thread.scrollTop > 0) {
    thread.scrollTop -= 120;
    const now = await new Promise(requestAnimationFrame);
    lengths.push(now - before);
    before = now;
  }
  return lengths;
}"""


def main_thread_tasks(trace: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return the lengths of the tasks of the busiest renderer's main thread."""
    mains = {
        (event["pid"], event["tid"])
        for event in trace
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    begin, end = (next(event["ts"] for event in trace if event["name"] == mark) for mark in MARKS)
    return [
        (event["dur"] / 1000, event.get("tdur", event["dur"]) / 1000)
        for event in trace
        if event["name"] == "RunTask" and (event["pid"], event["tid"]) in mains
        if "dur" in event and begin < event["ts"] < end
    ]


@contextlib.asynccontextmanager
async def shown(provider: Paced) -> AsyncIterator[Shown]:
    """Run a chatd and a browser that shows a new session of it."""
    with tempfile.TemporaryDirectory() as directory:
        environ = QUICK | {"CHATD_DATA_DIR": directory, "CHATD_PLUGINS_ENABLED": "auth_token"}
        config = load_config(None, environ, {})
        async with App(config, plugins=[provider]) as app, listening(app) as port:
            user = await accounts.ensure_user(app.store, "reader")
            token = await accounts.create_token(app.store, user)
            async with browsing() as browser:
                page = await browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(600_000)
                await page.add_init_script(f"localStorage.setItem('chatd.token', '{token}')")
                await page.goto(f"http://127.0.0.1:{port}/")
                yield Shown(browser, page)


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Run Chromium."""
    async with async_playwright() as playwright:
        chromium = playwright.chromium
        path = shutil.which("chromium")
        browser = await chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        await browser.close()


async def page(*, quick: bool) -> AsyncIterator[tuple[str, float, str]]:
    """Give what was measured, its figure and its unit."""
    count = TOKENS // 10 if quick else TOKENS
    provider = Paced()
    async with shown(provider) as reader:
        provider.at_once, provider.paced = count, PER_SECOND * (5 if quick else 20)
        await reader.send("Tell me everything.")
        sections = "".join(tokens(count)).count("## Section") - 2
        await reader.page.locator("article.streaming h4").nth(sections).wait_for()
        await asyncio.sleep(3)  # what came at once is rendered
        async with reader.traced() as tasks:
            await typed_and_scrolled(reader, seconds=4 if quick else 15)
        for row in longest("typing, scrolling and a stream", tasks):
            yield row
        await reader.page.locator("article.assistant.complete").wait_for()
        async with reader.traced() as tasks:
            frames = await reader.frames()
        yield f"frames a second, scrolling {count:,} tokens", 1000 * len(frames) / sum(frames), ""
        late = sum(length > 25 for length in frames) / len(frames)
        yield "frames that came late", 100 * late, "%"
        for row in longest("scrolling", tasks):
            yield row
        async with reader.traced() as tasks:
            await reader.page.reload()
            await reader.page.locator("article.assistant.complete h4").nth(sections).wait_for()
        for row in longest("loading the session again", tasks):
            yield row


async def typed_and_scrolled(reader: Shown, *, seconds: float) -> None:
    """Type ten characters a second, and turn the wheel as often, while the reply streams."""
    # Not by its label, which would be looked for in all that the page shows.
    await reader.page.locator("textarea").focus()
    await reader.page.mouse.move(700, 300)
    for step in range(int(seconds * 10)):
        await reader.page.keyboard.press("x")
        await reader.page.mouse.wheel(0, -240 if step % 20 < 10 else 400)
        await asyncio.sleep(0.1)


def longest(what: str, tasks: list[tuple[float, float]]) -> list[tuple[str, float, str]]:
    """Return the rows of one trace."""
    return [
        (f"{what}: longest task", max(passed for passed, _ in tasks), "ms"),
        (f"{what}: longest task, of the processor", max(used for _, used in tasks), "ms"),
        (f"{what}: tasks over {LONG:.0f} ms", sum(passed > LONG for passed, _ in tasks), ""),
    ]
