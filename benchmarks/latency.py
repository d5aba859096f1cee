"""How late tokens are with more and more streams: the documentation's plot, `... latency`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import measures
from benchmarks.measures import Load
from benchmarks.servers import NAMES, servers, upstream

STREAMS = (25, 50, 100, 150, 200, 250, 300, 400)
HOPELESS = 500.0  # milliseconds of median latency after which no more streams are tried
LABELS = {NAMES[0]: "chatd on SQLite", NAMES[1]: "chatd on MongoDB"}
LABELS |= {"fastapi": "FastAPI, uvicorn, MongoDB", "channels": "Django Channels, daphne, SQLite"}

Points = dict[str, list[tuple[int, float]]]  # by server: streams, milliseconds


async def latency(*, quick: bool) -> tuple[Points, Points]:
    """Return the medians and the 99th percentiles of token latency, at fifty tokens a second."""
    medians: Points = {}
    tails: Points = {}
    with tempfile.TemporaryDirectory() as directory:
        async with upstream() as url, servers(url, Path(directory)) as running:
            for streams in STREAMS[:3] if quick else STREAMS:
                for server in running:
                    if medians.get(server.name, [(0, 0.0)])[-1][1] > HOPELESS:
                        continue
                    load = Load(1.0 if quick else 5.0, streams, 0)
                    found = await measures.paced_streams(server, load)
                    medians.setdefault(server.name, []).append((streams, found.p50))
                    tails.setdefault(server.name, []).append((streams, found.p99))
                    print(server.name, streams, found, file=sys.stderr, flush=True)
    return medians, tails


def draw(medians: Points, tails: Points, path: Path) -> None:
    """Write the plot as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "chatd"  # the same figures make the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.2), layout="constrained")
    for name, points in medians.items():
        (drawn,) = axes.plot(*zip(*points, strict=True), marker="o", label=LABELS[name])
        axes.plot(*zip(*tails[name], strict=True), linestyle=":", color=drawn.get_color())
    axes.set_yscale("log")
    axes.set_xlabel("streams of 50 tokens a second, the server on one core")
    axes.set_ylabel("token latency in ms: median, dotted 99 %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
