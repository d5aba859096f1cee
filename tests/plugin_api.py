"""The plugin API written down: `python tests/plugin_api.py > tests/plugin_api.txt` renews it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec

import chatd
from chatd import hookspecs
from chatd.store.accounts import AccountStore
from chatd.store.data import DataStore

OWN = ("chatd.",)


def written() -> str:
    """Return the API as text: a line for every name, field, method and hook."""
    lines = [f"plugin_api {chatd.plugin_api}", "", "# hooks"]
    for name, hook in sorted(vars(hookspecs).items()):
        if hasattr(hook, "chatd_spec"):
            lines.append(f"{name}{inspect.signature(hook)}")
    lines += ["", "# chatd"]
    for name in chatd.__all__:
        lines += described(name, getattr(chatd, name))
    lines += ["", "# app.store, what plugins may use of it"]
    for part in (AccountStore, DataStore):
        lines += described(part.__name__, part)
    return "\n".join(lines) + "\n"


def described(name: str, value: Any) -> Iterator[str]:
    """Yield the lines of one name."""
    if inspect.ismodule(value):
        yield f"{name}: {', '.join(sorted(getattr(value, '__all__', public(value))))}"
    elif inspect.isclass(value):
        bases = [base.__name__ for base in value.__bases__ if base.__module__.startswith(OWN)]
        yield f"class {name}({', '.join(bases)})"
        yield from (f"    {line}" for line in members(value))
    elif inspect.isfunction(value):
        yield f"{name}{inspect.signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def members(kind: type[Any]) -> Iterator[str]:
    """Yield the fields and methods that a class has of its own."""
    fields: tuple[Any, ...] = ()
    if issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
    annotations = vars(kind).get("__annotations__", {})
    for field in fields:
        if field.name in annotations:
            has_default = field.required is False
            yield f"{field.name}: {annotations[field.name]}{' = ...' if has_default else ''}"
    named = {field.name for field in fields}
    for name in sorted(public(kind)):
        value = inspect.getattr_static(kind, name)
        if isinstance(value, property):
            yield f"{name}: property"
        elif inspect.isfunction(value):
            kept = "async " if inspect.iscoroutinefunction(value) else ""
            yield f"{kept}{name}{inspect.signature(value)}"
        elif name not in named and not inspect.isroutine(value):
            yield f"{name} = {value!r}" if isinstance(value, str | int | bool) else name


def public(value: Any) -> list[str]:
    """Return the names without an underscore that stand in a class or a module."""
    names = (name for name in vars(value) if not name.startswith("_"))
    if inspect.isclass(value):
        return list(names)
    return [n for n in names if getattr(getattr(value, n), "__module__", "") == value.__name__]


if __name__ == "__main__":
    print(written(), end="")
