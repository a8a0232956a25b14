"""Generates the reference of the settings from their models; with --check it tells what is stale.

Run from anywhere: `python docs/generate.py [--check]`. Exit code 1 means stale. What a key means is
the comment, or the docstring, that its model has behind it: there is no second place to keep it.
"""

import ast
import importlib
import inspect
import io
import sys
import tokenize
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loki.child import Child
from loki.cli.credential import OPTIONS
from loki.config import DEFAULT_CHILDREN, Settings, short_name
from loki.environment import NOT_SETTINGS, PREFIX

REFERENCE = Path(__file__).resolve().parent / "reference" / "settings.md"
CHILDREN = "children_config"
PLACEHOLDER = "NAME"
LONGEST_DEFAULT = 60

INTRODUCTION = """# Settings and environment variables

`loki serve` reads its settings from the file that `--config` names, else from `loki.toml` in the
current folder; where that is missing, the defaults hold. A file whose name ends in `.json` is read
as JSON. Relative paths start at the settings' file, and `~` is the user's home. An edit holds
within a second, or waits for a restart: see [change the settings](../how-to/change-settings.md).
`loki check --config loki.toml` tells every mistake with its line and starts nothing; an unknown key
is one.

Each key may be set in the environment too, which wins over the file: `LOKI_`, then the tables and
the key, with two underscores between them. `LOKI_QUEUE__MAX_LENGTH=50` is `max_length = 50` under
`[queue]`. Values are read as in TOML (`LOKI_CHILDREN='["hel_actor"]'`), and as text where they are
none. A `NAME` in a variable is taken in small letters.

This page is made from the models that check the settings (`make docs`).
"""
COMMON = """Every child's table also has these, which Loki itself reads:

| key | default | allowed | meaning |
| --- | --- | --- | --- |
| `enabled` | `true` | true or false | Whether the child runs. |
| `missed_heartbeats` | the child's own | 0 to 1000 | So many in a row are a hang; 0 is never. |
"""
HEAD = """| key | default | allowed | meaning | in the environment |
| --- | --- | --- | --- | --- |
"""
OTHERS = {
    "LOKI_SERVER": "As `--server`: the Loki that commands talk to, `HOST:PORT` or `unix:PATH`.",
    "LOKI_TOOLS": "The tool file that `loki serve` and `loki check` read, in place of the setting "
    "`tools`; relative to the current folder. `--tools` wins over it.",
}
"""Variables that are no settings, beside those of the options about credentials."""
OF_TESTS = {f"{PREFIX}REQUIRE"}


@dataclass(frozen=True, slots=True)
class Key:
    """One row of a table."""

    place: tuple[str, ...]
    default: str
    allowed: str
    meaning: str

    @property
    def variable(self) -> str:
        return PREFIX + "__".join(self.place).upper()

    def row(self) -> str:
        cells = (
            f"`{self.place[-1]}`",
            self.default,
            self.allowed,
            self.meaning,
            f"`{self.variable}`",
        )
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the settings."""

    title: str
    about: str
    keys: tuple[Key, ...]

    def text(self) -> str:
        rows = "\n".join(key.row() for key in self.keys)
        return "\n\n".join(part for part in (self.title, self.about, HEAD + rows) if part)


def sections(
    model: type[BaseModel], place: tuple[str, ...] = (), suffix: str = ""
) -> Iterator[Section]:
    """The table of a model, then those that are in it."""
    words = meanings(model)
    keys, inner = [], []
    for name, field in model.model_fields.items():
        at = (*place, name)
        models = list(models_of(field.annotation))
        if at == (CHILDREN,):
            continue
        if not models:
            keys.append(Key(at, default_of(field), allowed(field), words[name]))
        inner += [(each, inside(at, field, model=each)) for each in models]
    title = f"## `[{'.'.join(place)}]`{suffix}" if place else "## At the top"
    if keys:
        yield Section(title, " ".join((model.__dict__.get("__doc__") or "").split()), tuple(keys))
    for each, (at, end) in inner:
        yield from sections(each, at, end)


def inside(
    at: tuple[str, ...], field: FieldInfo, *, model: type[BaseModel]
) -> tuple[tuple[str, ...], str]:
    """The place of a model that a field holds, and what the title says beside it."""
    place = (*at, PLACEHOLDER) if get_origin(field.annotation) is dict else at
    key = field.discriminator
    end = f', where `{key} = "{model.model_fields[key].default}"`' if isinstance(key, str) else ""
    return place, end


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """Tables that a value may be, or that are in it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from models_of(part)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """By key, the comment behind it and the docstring below it. Raises: SystemExit without any."""
    text = Path(inspect.getfile(model)).read_text()
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, str] = {}
    for cls in (each for each in reversed(model.__mro__) if issubclass(each, BaseModel)):
        if inspect.getfile(cls) == inspect.getfile(model):
            found |= _of_class(_class(text, cls.__name__), comments)
    leaves = [n for n, f in model.model_fields.items() if not list(models_of(f.annotation))]
    if missing := [name for name in leaves if not found.get(name) and name != CHILDREN]:
        raise SystemExit(f"{model.__name__}: say behind {', '.join(missing)} what it means")
    return found


def _class(text: str, name: str) -> ast.ClassDef:
    bodies = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    return next(node for node in bodies if node.name == name)


def _of_class(node: ast.ClassDef, comments: dict[int, str]) -> dict[str, str]:
    found = {}
    for statement, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        words = [comments.get(statement.end_lineno or 0, "")]
        match after:
            case ast.Expr(value=ast.Constant(value=str(docstring))):
                words.append(docstring)
        found[statement.target.id] = " ".join(" ".join(words).split())
    return found


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)  # type: ignore[call-arg]  # No factory here takes the data.
    if value is None:
        return "not set"
    text = toml(value)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see there"


def toml(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, dict):
        inner = ", ".join(f"{key} = {toml(each)}" for key, each in plain.items())
        return f"{{ {inner} }}" if inner else "{}"
    return tomlkit.item(plain).as_string()


def allowed(field: FieldInfo) -> str:
    return kind(field.annotation, field.metadata)


def kind(annotation: Any, rules: list[Any]) -> str:
    """What may be given, in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(parts[0], [*rules, *(r for part in parts[1:] for r in rules_of(part))])
    if origin in (Union, types.UnionType):
        return " or ".join(kind(part, rules) for part in parts if part is not type(None))
    if origin is Literal:
        return ", ".join(f"`{toml(each)}`" for each in parts)
    if origin is tuple:
        return f"list of {kind(parts[0], [])}"
    if origin is dict:
        return f"table of {kind(parts[1], [])}"
    names = {bool: "true or false", str: "text", int: "whole numbers", float: "numbers"}
    return bounds(rules) or names.get(annotation, "anything")


def rules_of(part: Any) -> list[Any]:
    return part.metadata if isinstance(part, FieldInfo) else [part]


def bounds(rules: list[Any]) -> str:
    held = {
        name: getattr(rule, name)
        for rule in rules
        for name in ("ge", "gt", "le")
        if hasattr(rule, name)
    }
    top = f"{held['le']:.0f}" if isinstance(held.get("le"), float) else held.get("le")
    if "gt" in held:
        return f"more than {held['gt']}" + (f", up to {top}" if top is not None else "")
    if "ge" in held:
        return f"{held['ge']} to {top}" if top is not None else f"from {held['ge']}"
    return ""


def children() -> Iterator[tuple[str, type[BaseModel]]]:
    """Those that come with Loki, and their own settings."""
    for module in DEFAULT_CHILDREN:
        child: Child = importlib.import_module(module).CHILD
        where, _, name = child.config.partition(":")
        yield short_name(module), getattr(importlib.import_module(where), name)


def variables() -> str:
    """Raises: SystemExit for one that nobody explains."""
    told = dict(OTHERS)
    for name, option in OPTIONS.items():
        words = f"--{name.replace('_', '-')}"
        (shown,) = option.__metadata__
        told[shown.envvar] = f"As `{words}`: {shown.help[0].lower()}{shown.help[1:]}"
    if missing := NOT_SETTINGS - told.keys() - OF_TESTS:
        raise SystemExit(f"OTHERS does not explain {', '.join(sorted(missing))}")
    rows = "\n".join(f"| `{name}` | {words} |" for name, words in told.items())
    return f"## Variables that are no settings\n\n| variable | meaning |\n| --- | --- |\n{rows}\n"


def render() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *(each.text() + "\n" for each in sections(Settings))]
    parts.append(f"## `[{CHILDREN}]`\n\n{COMMON}")
    for name, model in children():
        parts += [each.text() + "\n" for each in sections(model, (CHILDREN, name))]
    return "\n".join([*parts, variables()])


def main() -> None:
    text = render()
    if "--check" not in sys.argv[1:]:
        REFERENCE.write_text(text)
    elif not REFERENCE.is_file() or REFERENCE.read_text() != text:
        sys.exit("docs/reference/settings.md is stale: run `make docs`")


if __name__ == "__main__":
    main()
