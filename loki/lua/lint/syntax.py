"""A script's source as a tree that rules can read, whoever parsed it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import TreeCursor

IGNORED = "comment"


@dataclass(slots=True, eq=False)
class Node:
    """A piece of source. `kind` and `role` are names of the grammar of tree-sitter-lua.

    Its punctuation and keywords are children too: nodes whose kind is their text.
    """

    kind: str
    role: str  # What it is to its parent, or "".
    source: bytes = field(repr=False)
    start: int  # Bytes.
    end: int
    row: int  # From 0.
    column: int  # Bytes from the start of the line.
    parent: "Node | None" = field(default=None, repr=False)
    children: list["Node"] = field(default_factory=list, repr=False)

    @property
    def text(self) -> str:
        return self.source[self.start : self.end].decode(errors="replace")

    def child(self, role: str) -> "Node | None":
        """The first child that is `role` to this one."""
        return next((child for child in self.children if child.role == role), None)

    def child_of_kind(self, kind: str) -> "Node | None":
        return next((child for child in self.children if child.kind == kind), None)


def parse(source: str) -> Node | None:
    """The tree, or None for what the grammar does not know."""
    # Here, for nobody else pays for them.
    import tree_sitter
    import tree_sitter_lua

    text = source.encode()
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_lua.language()))
    cursor = parser.parse(text).walk()
    if cursor.node is None or cursor.node.has_error:
        return None
    return _copy(cursor, text)


def walk(root: Node) -> Iterator[tuple[Node, bool]]:
    """Every node twice, in the order of the source: when it begins (True) and when it is over."""
    todo = [(root, False), (root, True)]
    while todo:
        node, begins = todo.pop()
        yield node, begins
        if begins:
            for child in reversed(node.children):
                todo += ((child, False), (child, True))


def nodes(root: Node, *kinds: str) -> Iterator[Node]:
    """Every node of these kinds."""
    return (node for node, begins in walk(root) if begins and node.kind in kinds)


def _copy(cursor: "TreeCursor", source: bytes) -> Node:
    """Without recursion: the tree of a sum is as deep as the sum is long."""
    root = node = _node(cursor, source, None)
    while True:
        if cursor.goto_first_child():
            node = _node(cursor, source, node)
            continue
        while not cursor.goto_next_sibling():
            if node.parent is None or not cursor.goto_parent():
                return root
            node = node.parent
        node = _node(cursor, source, node.parent)


def _node(cursor: "TreeCursor", source: bytes, parent: Node | None) -> Node:
    """A copy of where the cursor is; comments are no children of anything."""
    found = cursor.node
    assert found is not None  # noqa: S101  # A cursor is always somewhere.
    node = Node(
        found.type,
        cursor.field_name or "",
        source,
        found.start_byte,
        found.end_byte,
        *found.start_point,
        parent,
    )
    if parent is not None and found.type != IGNORED:
        parent.children.append(node)
    return node
