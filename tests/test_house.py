"""The rules of the house: layers, sizes, docstrings, and what no file says."""

import ast
import configparser
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import chatd

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "chatd"
PLUGINS = ROOT / "plugins"

# From the bottom up, and in a row from left to right: a module imports only what stands before it.
# A package such as stores/ counts as one.
LAYERS = """
    errors types deadline failpoints secrets places tracing loglines metrics traces words
    events announcements log
    provider preset signed_in store hookspecs
    addresses strict_json fields options schemas
    settings environment reading config limits node fetching
    keysets sse transport instances pool gathering refusals upstream discovery subscriber hub broker
    calling finding plugins stores
    pausing run observations observer ends recovery generations histories pages prompts
    accounts catalog turns sessions search transfer questions
    app
    contract
    handlers
    web
    server
    client
    testing
    cli
"""
LEVEL = {name: level for level, name in enumerate(LAYERS.split())}
TORNADO = {"handlers", "web", "server", "cli"}

# Hosts of package registries, options that name one, and the homes of a machine.
FORBIDDEN = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|(?:deb|security)\.debian\.org"
    r"|-index-url[ =]|PIP_INDEX_URL[=:]"
    r"|(?<![\w.}-])/(?:work|root)/"
)


def sources(*folders: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield every Python file below these folders, seen from the root, with its syntax tree."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_bytes(), path)


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree but those that stand under `if TYPE_CHECKING:`."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            todo.extend(node.orelse)
        else:
            todo.extend(ast.iter_child_nodes(node))


def imports(path: Path, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what a file imports as (module, name); the name is empty in `import module`."""
    package = path.parent.parts
    for node in running(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((module, alias.name) for alias in node.names)


def core() -> Iterator[tuple[str, Path, ast.Module]]:
    """Yield the files of chatd with the name that LAYERS knows them by; not the public face."""
    for path, tree in sources(CORE):
        name = path.with_suffix("").parts[1]
        if name not in {"__init__", "__main__"}:
            yield name, path, tree


def test_every_module_has_a_layer():
    """A module of chatd stands in the table of layers."""
    unknown = sorted({name for name, _, _ in core()} - LEVEL.keys())

    assert not unknown, f"in no layer: {unknown}; give each its place in LAYERS"


def test_imports_point_down():
    """A module of chatd imports only modules before it, by their own names."""
    wrong = []
    for importer, path, tree in core():
        for module, name in imports(path, tree):
            if module.split(".")[0] != "chatd":
                continue
            imported = f"{module}.{name}".split(".")[1]
            if imported.startswith("__") or imported == importer:
                continue
            if imported not in LEVEL:
                wrong.append(f"{path} imports {imported or 'chatd'}, which is no module of a layer")
            elif LEVEL[imported] > LEVEL.get(importer, len(LEVEL)):
                wrong.append(f"{path} imports {imported}, which stands above it")

    assert not wrong, "\n".join(wrong)


def test_only_the_top_knows_tornado():
    """Tornado is imported by handlers, web, server and cli, and by nothing below them."""
    wrong = [
        f"{path} imports {module}"
        for importer, path, tree in core()
        if importer not in TORNADO
        for module, _ in imports(path, tree)
        if module.split(".")[0] == "tornado"
    ]

    assert not wrong, "\n".join(wrong)


def test_a_plugin_imports_only_chatd_itself():
    """A plugin knows what chatd exports, and none of its modules."""
    hidden = {path.stem for path in CORE.iterdir()} - set(chatd.__all__)
    wrong = [
        f"{path} imports {module} {name}".rstrip()
        for path, tree in sources(PLUGINS)
        for module, name in imports(path, tree)
        if module.startswith("chatd.") or (module == "chatd" and name in hidden)
    ]

    assert not wrong, "\n".join(wrong)


def test_files_and_functions_stay_small():
    """No file has more than 300 lines, and no function a body of more than 60."""
    large = []
    for path, tree in sources(CORE, PLUGINS):
        lines = len((ROOT / path).read_bytes().splitlines())
        if lines > 300:
            large.append(f"{path} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if lines > 60:
                    large.append(f"{path}: {node.name} has {lines} lines")

    assert not large, "\n".join(large)


def test_every_test_says_what_it_shows():
    """Every test has a docstring that states the behaviour."""
    silent = [
        f"{path}: {node.name}"
        for path, tree in sources(ROOT / "tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test")
        and not ast.get_docstring(node)
    ]

    assert not silent, "\n".join(silent)


def test_no_file_names_a_registry_or_a_machine():
    """What is tracked holds no host of a package registry, and no path of one machine."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    found = []
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = ROOT / name
        text = path.read_text(encoding="utf-8", errors="ignore") if path.is_file() else ""
        found += [f"{name}: {match[0]}" for match in FORBIDDEN.finditer(text)]

    assert not found, "\n".join(found)


def test_the_version_is_one():
    """The package and its metadata have the same version."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")

    assert chatd.__version__ == config["metadata"]["version"]
