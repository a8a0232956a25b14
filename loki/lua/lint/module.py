"""Rules about `require`: names without a module, and modules that require each other in a circle.

Theory of operation: only what surely runs while a file loads can be part of a circle, which is what
stands in no function, branch or loop. From a required module on these are followed, depth first;
`path` is the modules that would be loading then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from loki.errors import InvalidArgument, LokiError
from loki.lua.lint.call import arguments_of
from loki.lua.lint.contract import Contract
from loki.lua.lint.report import Findings
from loki.lua.lint.scope import Names, resolve
from loki.lua.lint.syntax import Node, nodes, parse
from loki.lua.lint.use import plain_text
from loki.tool.module import ModuleFolder, ModuleSource

PERHAPS = (
    "binary_expression",
    "for_statement",
    "function_declaration",
    "function_definition",
    "if_statement",
    "repeat_statement",
    "while_statement",
)
"""What is inside of these may run later, or never."""
CATCHING = ("pcall", "xpcall")


@dataclass(frozen=True, slots=True)
class Required:
    """A `require` with a name that is written there."""

    name: str
    line: int
    file: str = ""  # "" in the file that is checked.


def check_modules(root: Node, names: Names, contract: Contract, findings: Findings) -> None:
    """Report each `require` that cannot go well."""
    folder = contract.folder
    if folder is None:
        return
    for node, name in _required(root, names):
        trouble = _trouble(Required(name, 0), folder, contract.globals)
        if trouble is None:
            continue
        text, sure = trouble
        if sure or contract.in_folder:
            findings.error(node, "module", text)
        else:
            findings.warning(node, "module", text)


def _required(root: Node, names: Names) -> Iterator[tuple[Node, str]]:
    """Where a module's name stands, and the name."""
    if any(node.text == "require" for node in names.writes):
        return
    for call in nodes(root, "function_call"):
        function = call.child("name")
        if function is None or function.text != "require" or not names.is_global(function):
            continue
        given, _ = arguments_of(call)
        name = plain_text(given[0]) if given else None
        if name is not None and not _is_caught(call):
            yield given[0], name


def _trouble(
    first: Required, folder: ModuleFolder, preloaded: frozenset[str]
) -> tuple[str, bool] | None:
    """What is wrong with a module, or with what it loads; and whether it is so in any folder."""
    path: list[str] = []
    seen: set[str] = set()
    todo = [(first, 0)]
    while todo:
        wanted, depth = todo.pop()
        del path[depth:]
        where = f" ({wanted.file}:{wanted.line})" if wanted.file else ""
        if wanted.name in path:
            circle = " > ".join((*path[path.index(wanted.name) :], wanted.name))
            return f"modules require each other in a circle: {circle}{where}; {REMEDY}", False
        if wanted.name in seen or wanted.name in preloaded:
            continue
        seen.add(wanted.name)
        try:
            source = folder.read(wanted.name)
        except LokiError as error:
            return error.message + where, isinstance(error, InvalidArgument) and not where
        path.append(wanted.name)
        todo += [(each, len(path)) for each in reversed(_loaded_with(source))]
    return None


REMEDY = "require one of them inside of the function that needs it"


@lru_cache(maxsize=256)
def _loaded_with(source: ModuleSource) -> tuple[Required, ...]:
    """What surely is required while this loads."""
    root = parse(source.text)
    if root is None:
        return ()
    return tuple(
        Required(name, node.row + 1, source.file)
        for node, name in _required(root, resolve(root))
        if not _is_perhaps(node)
    )


def _is_caught(node: Node) -> bool:
    """Whether it stands in a function that is given to pcall: a module that need not be there."""
    return any(
        function.kind == "function_definition" and _call_with(function) in CATCHING
        for function in _around(node)
    )


def _call_with(argument: Node) -> str:
    """The name of the function that gets this argument."""
    call = argument.parent and argument.parent.parent
    function = call and call.kind == "function_call" and call.child("name")
    return function.text if function else ""


def _is_perhaps(node: Node) -> bool:
    return any(around.kind in PERHAPS for around in _around(node))


def _around(node: Node) -> Iterator[Node]:
    """What it stands in, from the inside."""
    around = node.parent
    while around is not None:
        yield around
        around = around.parent
