"""The plugin API written down: `python tests/plugin_api.py > tests/plugin_api.txt` renews it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec

import chatd
from chatd import hookspecs
from chatd.catalog import Models
from chatd.prompts import Prompts
from chatd.questions import Questions
from chatd.schemas import Shapes
from chatd.sessions import Sessions
from chatd.store.accounts import AccountStore
from chatd.store.data import DataStore
from chatd.store.messages import MessageStore

OWN = ("chatd.",)
STORE = (AccountStore, DataStore)  # all of these; of the parts of an App below, these methods
PARTS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "app.models": (Models, ("default", "list", "pick")),
    "app.prompts": (Prompts, ("prepared",)),
    "app.questions": (Questions, ("ask",)),
    "app.sessions": (Sessions, ("get", "update")),
    "app.shapes": (Shapes, ("new_preset",)),
    "app.store": (MessageStore, ("get_message",)),
}
CHATDS_OWN = ("beside", "close_turns", "signed_in")  # of App


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
    for part in STORE:
        lines += described(part.__name__, part)
    for place, (part, names) in PARTS.items():
        lines += ["", f"# {place}, what plugins may use of it"]
        known = {name_of(line): line for line in members(part)}
        lines += [known.get(name, name) for name in names]
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
        if kind is chatd.App and name in CHATDS_OWN:
            continue
        value = inspect.getattr_static(kind, name)
        if isinstance(value, property):
            yield f"{name}: property"
        elif inspect.isfunction(value):
            kept = "async " if inspect.iscoroutinefunction(value) else ""
            yield f"{kept}{name}{inspect.signature(value)}"
        elif name not in named and not inspect.isroutine(value):
            yield f"{name} = {value!r}" if isinstance(value, str | int | bool) else name


def name_of(line: str) -> str:
    """Return the name of a method by its line."""
    return line.removeprefix("async ").partition("(")[0]


def promised() -> dict[str, set[str]]:
    """Return what plugins may use of an App and of its parts, by the name of the part."""
    found = {place.removeprefix("app."): {*names} for place, (_, names) in PARTS.items()}
    found["store"] |= {name for part in STORE for name in public(part)}
    found["app"] = {*public(chatd.App), *found, "config"} - {*CHATDS_OWN}
    return found


def public(value: Any) -> list[str]:
    """Return the names without an underscore that stand in a class or a module."""
    names = (name for name in vars(value) if not name.startswith("_"))
    if inspect.isclass(value):
        return list(names)
    places = {name: getattr(getattr(value, name), "__module__", "") for name in names}
    # A package is what it takes from its modules, and from others of chatd's.
    own = OWN if hasattr(value, "__path__") else (value.__name__,)
    return [name for name, place in places.items() if place.startswith(own)]


if __name__ == "__main__":
    print(written(), end="")
