"""The command that writes what clients in other languages are generated from."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import connect, fail
from loki.cli.folder import write_folder
from loki.cli.option import DEFAULT_SERVER, AsJson, Server, completion_of, metavar_of, one_of
from loki.cli.progress import Count
from loki.cli.view import say, say_json

if TYPE_CHECKING:
    from loki.client import ServerSchema

MANIFEST = "loki-schema.json"
IMAGE = "image.binpb"
BUF = b"""version: v2
lint:
  use:
    - STANDARD
    - COMMENTS
breaking:
  use:
    - WIRE_JSON
"""


class Format(StrEnum):
    ALL = "all"
    PROTO = "proto"
    IMAGE = "image"
    JSON_SCHEMA = "json-schema"


def schema(
    pattern: Annotated[str, typer.Argument(metavar="[GLOB]", help="Only these scripts.")] = "*",
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where to; it is replaced.")
    ] = Path("schema"),
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            parser=one_of(Format),
            metavar=metavar_of(Format),
            autocompletion=completion_of(Format),
            help="What to write.",
        ),
    ] = Format.ALL,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Write the schema of the API and of all scripts' typed methods, to generate clients from.

    proto/ has .proto files, image.binpb the same for buf (buf build, breaking, curl --schema),
    json-schema/ a JSON Schema of each script's request and response over HTTP.
    """
    _check(out)
    with counted() as count, connect(server, timeout_s=None, as_json=as_json) as client:
        found = client.get_schema(pattern, report=partial(count.show, "services read"))
    if not found.scripts and pattern != "*":
        fail(f"no script with a typed method matches {pattern}")
    written: list[str] = []
    try:
        with counted() as count:
            write_folder(out, noted(files_of(found, form), written, count))
    except OSError as error:
        fail(f"{out}: {error.strerror}; nothing was written")
    if as_json:
        say_json({"folder": str(out), "scripts": revisions(found), "files": sorted(written)})
    else:
        say(f"{out}: {len(found.scripts)} scripts in {len(written)} files")


@contextmanager
def counted() -> Iterator[Count]:
    """A count that is gone after the block."""
    count = Count()
    try:
        yield count
    finally:
        count.clear()


def noted(
    files: Iterable[tuple[str, bytes]], written: list[str], count: Count
) -> Iterator[tuple[str, bytes]]:
    """`files`, each told when it is made; `written` gets their names."""
    for name, content in files:
        written.append(name)
        count.show("files written", len(written))
        yield name, content


def files_of(found: "ServerSchema", form: Format) -> Iterator[tuple[str, bytes]]:
    """Paths and contents; the same for the same scripts."""
    if form in (Format.ALL, Format.PROTO):
        yield "proto/buf.yaml", BUF
        for name, text in found.each_proto_text():
            yield f"proto/{name}", text.encode()
    if form in (Format.ALL, Format.IMAGE):
        yield IMAGE, found.image()
    if form in (Format.ALL, Format.JSON_SCHEMA):
        for name, content in found.json_schemas():
            yield f"json-schema/{name}.json", json_bytes(content)
    yield MANIFEST, json_bytes({"written by": "loki schema", "scripts": revisions(found)})


def revisions(found: "ServerSchema") -> dict[str, str]:
    """By script."""
    return {script.name: script.revision for script in found.scripts}


def json_bytes(content: object) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _check(out: Path) -> None:
    """What is not ours is not replaced, nor the folder that somebody is in."""
    target = out.resolve()
    if target == Path.cwd() or target in Path.cwd().parents:
        fail(f"{out} is the folder that you are in, and would be replaced; name one inside it")
    if not target.exists():
        return
    if not target.is_dir():
        fail(f"{out} is no folder")
    if any(target.iterdir()) and not (target / MANIFEST).is_file():
        fail(f"{out} is not empty, and `loki schema` did not write it; name another with --out")
