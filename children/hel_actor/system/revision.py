"""Registered scripts and all their revisions: the tables, and what is done to them.

Every function runs inside a transaction. A row of `script_revision` says what a revision is, who
registered it and when, and is never another one's; `script` says which one is current.
"""

import sqlite3

from loki.errors import ErrorCode, InvalidArgument
from loki.messages.envelope import Failure
from loki.messages.registry import (
    DropScript,
    KeepScript,
    ReadRevisions,
    RevisionsRead,
    ScriptRevision,
    ScriptsRead,
    StoredScript,
)

MOST_PAGE = 1000
PAGE_BYTES = 2 * 1024 * 1024  # A message carries 8 MiB, and a script is 1 MiB at most.


def current_of(connection: sqlite3.Connection, name: str) -> str:
    """The current revision; "" where the script is not registered, or not any more."""
    return _current_of(connection, name)[0]


def _current_of(connection: sqlite3.Connection, name: str) -> tuple[str, str, int]:
    """With who made it so and when."""
    found = connection.execute(
        "SELECT ifnull(current, ''), changed_by, changed_ns FROM script WHERE name = ?", (name,)
    ).fetchone()
    return ("", "", 0) if found is None else (str(found[0]), str(found[1]), int(found[2]))


def keep(connection: sqlite3.Connection, new: KeepScript, most: int) -> Failure | None:
    """Make a revision the current one; then keep the newest `most`, and that one in any case."""
    script = new.script
    refusal = _conflict(connection, script.name, new.expected) or _excess(connection, new)
    if refusal:
        return refusal
    connection.execute(
        # The words for people that come with it may differ, what a run of it does cannot.
        "INSERT INTO script_revision (name, revision, principal, registered_ns, content) "
        "VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (name, revision) DO UPDATE SET content = excluded.content",
        (script.name, script.revision, new.principal, new.time_ns, script.content),
    )
    _point(connection, script.name, script.revision, new.principal, new.time_ns)
    connection.execute(
        "DELETE FROM script_revision WHERE name = ?1 AND revision != ?2 AND id NOT IN "
        "(SELECT id FROM script_revision WHERE name = ?1 ORDER BY id DESC LIMIT ?3)",
        (script.name, script.revision, most),
    )
    return None


def drop(connection: sqlite3.Connection, gone: DropScript, most: int) -> Failure | None:
    """The script has no current revision from now on; those that there were stay for a rollback.

    Of all removed scripts together the newest `most` stay, those of the last removal first: else
    whoever registers and removes again and again would fill the disk, whatever the quota.
    """
    if refusal := _conflict(connection, gone.name, gone.expected):
        return refusal
    _point(connection, gone.name, None, gone.principal, gone.time_ns)
    connection.execute(
        "DELETE FROM script_revision WHERE id IN ("
        "SELECT r.id FROM script_revision AS r JOIN script AS s ON s.name = r.name "
        "WHERE s.current IS NULL ORDER BY s.changed_ns DESC, r.id DESC LIMIT -1 OFFSET ?)",
        (most,),
    )
    connection.execute(
        "DELETE FROM script WHERE current IS NULL "
        "AND name NOT IN (SELECT name FROM script_revision)"
    )
    return None


def _point(
    connection: sqlite3.Connection, name: str, revision: str | None, principal: str, time_ns: int
) -> None:
    connection.execute(
        "INSERT INTO script (name, current, changed_by, changed_ns) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET current = excluded.current, "
        "changed_by = excluded.changed_by, changed_ns = excluded.changed_ns",
        (name, revision, principal, time_ns),
    )


def _conflict(connection: sqlite3.Connection, name: str, expected: str) -> Failure | None:
    current = current_of(connection, name)
    if current == expected:
        return None
    state = f"has revision {current} now" if current else "is not registered any more"
    return Failure(
        code=ErrorCode.REVISION_CONFLICT,
        message=f"script '{name}' {state}; somebody else was faster: read it again first",
        details={"script": name, "revision": current},
    )


def _excess(connection: sqlite3.Connection, new: KeepScript) -> Failure | None:
    """A script is on the account of whoever made its current revision the current one."""
    if not new.most_scripts:
        return None
    (others,) = connection.execute(
        "SELECT count(*) FROM script WHERE current IS NOT NULL AND changed_by = ? AND name != ?",
        (new.principal, new.script.name),
    ).fetchone()
    if others < new.most_scripts:
        return None
    return Failure(
        code=ErrorCode.QUOTA,
        message=f"'{new.principal}' may have {new.most_scripts} registered scripts; remove one",
        details={"principal": new.principal, "quota": "scripts"},
    )


def read_all(connection: sqlite3.Connection, after: str) -> ScriptsRead:
    """Current revisions by name, those after `after`, as many as fit into a message."""
    scripts: list[StoredScript] = []
    size = 0
    for name, revision, content in connection.execute(
        "SELECT name, revision, content FROM script JOIN script_revision USING (name) "
        "WHERE revision = current AND name > ? ORDER BY name",
        (after,),
    ):
        size += len(content)
        if scripts and size > PAGE_BYTES:
            return ScriptsRead(scripts=tuple(scripts), next_page=scripts[-1].name)
        scripts.append(StoredScript(name=name, revision=revision, content=content))
    return ScriptsRead(scripts=tuple(scripts))


def read_one(connection: sqlite3.Connection, name: str, revision: str) -> StoredScript | Failure:
    found = connection.execute(
        "SELECT content FROM script_revision WHERE name = ? AND revision = ?", (name, revision)
    ).fetchone()
    if found is None:
        return Failure(
            code=ErrorCode.SCRIPT_NOT_FOUND,
            message=f"there is no revision {revision} of a script '{name}'",
            details={"script": name, "revision": revision},
        )
    return StoredScript(name=name, revision=revision, content=found[0])


def checked_page(page: str) -> int:
    """The number of the row before which a page begins. Raises: InvalidArgument."""
    if not page:
        return 2**63 - 1
    if not (page.isascii() and page.isdigit() and len(page) < 19):
        raise InvalidArgument(
            "page_token is none that a list of revisions gave", details={"field": "page_token"}
        )
    return int(page)


def page_of(connection: sqlite3.Connection, request: ReadRevisions, before: int) -> RevisionsRead:
    """Up to `page_size` (1 to 1000) revisions, the newest first."""
    size = min(max(request.page_size, 1), MOST_PAGE)
    rows = connection.execute(
        "SELECT id, revision, principal, registered_ns FROM script_revision "
        "WHERE name = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (request.name, before, size + 1),
    ).fetchall()
    current, by, since_ns = _current_of(connection, request.name)
    return RevisionsRead(
        revisions=tuple(
            ScriptRevision(
                revision=revision,
                principal=principal,
                registered_ns=registered_ns,
                current=revision == current,
                current_by=by if revision == current else "",
                current_ns=since_ns if revision == current else 0,
            )
            for _, revision, principal, registered_ns in rows[:size]
        ),
        next_page=str(rows[size - 1][0]) if len(rows) > size else "",
    )
