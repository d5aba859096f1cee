"""What is shipped for Grafana and Prometheus names metrics and labels that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector

from chatd.metrics import Metrics

CONF = Path(__file__).parent.parent / "conf"
OF_PROMETHEUS = {"job", "instance", "le"}


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads((CONF / "grafana-dashboard.json").read_text())
    return found


def known() -> dict[str, set[str]]:
    """Return the labels of every name that a query may use."""
    names: dict[str, set[str]] = {}
    for sample in Metrics("0").sample():
        ends = ("_bucket", "_sum", "_count") if sample.kind == "histogram" else ("",)
        names |= {f"{sample.name}{end}": {*sample.labels} for end in ends}
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    names |= {sample.name: set() for family in registry.collect() for sample in family.samples}
    return names


def queries() -> Iterator[str]:
    """Yield every query that is shipped."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard()["templating"]["list"][1:]:
        yield variable["definition"]
    yield from re.findall(
        r"expr: (\|\n(?: {10}.*\n)+|.*)", (CONF / "prometheus-alerts.yaml").read_text()
    )


def test_every_metric_exists() -> None:
    """Every name in a query is a metric, and every label in it is one of its labels."""
    names = known()
    for query in queries():
        used = re.findall(r"\b(?:chatd|process)_\w+", query)
        assert used, query
        assert set(used) <= names.keys(), query
        labels = {*re.findall(r"[{,]\s*(\w+)\s*[=!]", query)}
        for group in re.findall(r"\bby \(([^)]*)\)", query):
            labels |= set(group.split(", "))
        assert labels <= OF_PROMETHEUS.union(*(names[name] for name in used)), query


def test_every_metric_is_shown() -> None:
    """The dashboard has a panel for every metric of chatd."""
    text = "\n".join(queries())
    assert [s.name for s in Metrics("0").sample() if s.name not in text] == []


def test_brackets_are_closed() -> None:
    """Every query closes what it opens."""
    for query in queries():
        for pair in ("()", "{}", "[]"):
            assert query.count(pair[0]) == query.count(pair[1]), query


def test_the_dashboard_is_one() -> None:
    """It has a row for each part, every panel has an id and a place of its own, none overlaps."""
    panels = dashboard()["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Turns", "Latency", "Sockets", "Store", "Providers and plugins", "Process"]
    assert dashboard()["schemaVersion"] >= 39
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    for panel in panels:
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
