"""What an operator writes about a provider that is one server or several."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma

_ONE_LINE = ma.validate.Regexp(r"[\x20-\x7e]*\Z", error="Must be printable ASCII.")


def _web_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.query:
        raise ma.ValidationError("Must be http://... or https://... without a query.")


class InstanceSchema(ma.Schema):
    """One provider: a name, and one or several servers that have the same models."""

    name = ma.fields.String(required=True, validate=ma.validate.Regexp(r"[^/\s]{1,64}\Z"))
    url = ma.fields.String(validate=_web_url)
    urls = ma.fields.List(ma.fields.String(validate=_web_url), validate=ma.validate.Length(min=1))
    key = ma.fields.String(validate=_ONE_LINE)
    headers = ma.fields.Dict(
        keys=ma.fields.String(validate=_ONE_LINE), values=ma.fields.String(validate=_ONE_LINE)
    )
    timeout = ma.fields.Float(validate=ma.validate.Range(min=0, min_inclusive=False))
    max_connections = ma.fields.Integer(validate=ma.validate.Range(min=1))
    environment_proxies = ma.fields.Boolean()

    @ma.validates_schema
    def one_kind_of_url(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse neither and both."""
        if ("url" in data) == ("urls" in data):
            raise ma.ValidationError("Give either url or urls.", "url")

    @ma.post_load
    def always_urls(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Make one URL a list of one."""
        return {"urls": [data.pop("url", None)], **data}
