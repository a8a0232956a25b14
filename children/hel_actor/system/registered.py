"""What the Library asks about registered scripts, done by the database's thread."""

from collections.abc import Mapping
from concurrent.futures import Future

from hel_actor.database.database import Database
from hel_actor.system import number, revision
from loki.child import ServiceHandler
from loki.messages.envelope import Done, Failure, Message
from loki.messages.field_number import (
    ForgetNumbers,
    KeepNumbers,
    NumbersRead,
    ReadNumbers,
)
from loki.messages.registry import (
    DropScript,
    KeepScript,
    ReadRevision,
    ReadRevisions,
    ReadScripts,
    RevisionRead,
    RevisionsRead,
    ScriptsRead,
    StoredScript,
)


class Registered:
    """What is answered is on the disk."""

    def __init__(self, database: Database, most_revisions: int, most_removed: int) -> None:
        """`most_revisions` of each script are kept, and `most_removed` of all removed ones."""
        self._most_removed = most_removed
        self._database = database
        self._most_revisions = most_revisions

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {
            ReadScripts: self._read_all,
            KeepScript: self._keep,
            DropScript: self._drop,
            ReadRevisions: self._list,
            ReadRevision: self._read_one,
            KeepNumbers: self._keep_numbers,
            ForgetNumbers: self._forget_numbers,
            ReadNumbers: self._read_numbers,
        }

    def _read_all(self, request: ReadScripts) -> "Future[ScriptsRead]":
        return self._database.submit(lambda database: revision.read_all(database, request.page))

    def _keep(self, request: KeepScript) -> "Future[Done | Failure]":
        most = self._most_revisions
        return self._database.submit(
            lambda database: revision.keep(database, request, most) or Done()
        )

    def _drop(self, request: DropScript) -> "Future[Done | Failure]":
        most = self._most_removed
        return self._database.submit(
            lambda database: revision.drop(database, request, most) or Done()
        )

    def _list(self, request: ReadRevisions) -> "Future[RevisionsRead]":
        before = revision.checked_page(request.page)
        return self._database.submit(lambda database: revision.page_of(database, request, before))

    def _read_one(self, request: ReadRevision) -> "Future[RevisionRead | Failure]":
        def read(found: StoredScript | Failure) -> RevisionRead | Failure:
            return found if isinstance(found, Failure) else RevisionRead(script=found)

        return self._database.submit(
            lambda database: read(revision.read_one(database, request.name, request.revision))
        )

    def _keep_numbers(self, request: KeepNumbers) -> "Future[Done | Failure]":
        return self._database.submit(lambda database: number.keep(database, request) or Done())

    def _forget_numbers(self, request: ForgetNumbers) -> "Future[Done]":
        return self._database.submit(lambda database: number.forget(database, request))

    def _read_numbers(self, request: ReadNumbers) -> "Future[NumbersRead]":
        return self._database.submit(lambda database: number.read_page(database, request))
