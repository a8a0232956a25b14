"""The calls about stored values: checked here, done by the database's thread."""

import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TypeVar

from hel_actor import page
from hel_actor.budgeted import Budgeted
from hel_actor.database.answer import following, raised
from hel_actor.database.database import Database
from hel_actor.messages import (
    AddToStored,
    BatchStored,
    ChangeStored,
    GetStored,
    KeyRemoved,
    KeysListed,
    ListOptions,
    ListStored,
    RemoveStored,
    SetStored,
    StoredNumber,
    SwapStored,
    ValueFound,
    ValueSwapped,
)
from hel_actor.namespace import key_place, may_store
from hel_actor.quota import usage
from hel_actor.value import batch, keyvalue
from loki.child import Run, RunHandler
from loki.errors import ErrorCode, LokiError
from loki.messages.envelope import Done, Failure, Message

T = TypeVar("T")

ALL_KEYS = ListOptions()


class Stored:
    """What is answered is on the disk."""

    def __init__(self, database: Database, budgeted: Budgeted, max_value_bytes: int) -> None:
        self._database = database
        self._budgeted = budgeted
        self._max_value_bytes = max_value_bytes

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            GetStored: self._get,
            SetStored: self._set,
            SwapStored: self._swap,
            AddToStored: self._add,
            RemoveStored: self._remove,
            ListStored: self._list,
            ChangeStored: self._change,
        }

    def _get(self, request: GetStored, run: Run) -> "Future[ValueFound]":
        key = key_place(run, request.key)
        found = self._database.submit(lambda database: keyvalue.read(database, *key))
        return following(found, lambda value: ValueFound(value=raised(value)))

    def _set(self, request: SetStored, run: Run) -> "Future[Done]":
        key = key_place(run, request.key)
        value = keyvalue.checked_value(request.value, self._max_value_bytes)

        def put(database: sqlite3.Connection) -> Done:
            keyvalue.put(database, *key, value)
            return Done()

        return self._budgeted.submit(run, usage.of_value(request.key, value), put)

    def _swap(self, request: SwapStored, run: Run) -> "Future[ValueSwapped]":
        key = key_place(run, request.key)
        keyvalue.checked_value(request.value, self._max_value_bytes)
        swapped = self._budgeted.submit(
            run,
            usage.of_value(request.key, request.value),
            lambda database: keyvalue.compare_and_set(
                database, *key, request.expected, request.value
            ),
        )
        return following(swapped, lambda done: ValueSwapped(swapped=done))

    def _add(self, request: AddToStored, run: Run) -> "Future[StoredNumber | Failure]":
        key = key_place(run, request.key)
        by = 1 if request.by is None else request.by

        def add(database: sqlite3.Connection) -> StoredNumber | Failure | LokiError:
            total = keyvalue.add(database, *key, by)
            if isinstance(total, LokiError):
                return total
            if isinstance(total, int):
                return StoredNumber(number=total)
            message = f"cannot add {by} to '{request.key[:64]}': {total}"
            return Failure(code=ErrorCode.ARGUMENT_INVALID, message=message)

        return self._budgeted.submit(run, usage.of_value(request.key, keyvalue.LONGEST_NUMBER), add)

    def _remove(self, request: RemoveStored, run: Run) -> "Future[KeyRemoved]":
        key = key_place(run, request.key)
        return self._budgeted.submit(
            run, 0, lambda database: KeyRemoved(existed=keyvalue.remove(database, *key))
        )

    def _change(self, request: ChangeStored, run: Run) -> "Future[BatchStored]":
        namespace = may_store(run)
        batch.check(request.changes, self._max_value_bytes)
        return self._budgeted.submit(
            run,
            batch.growth(request.changes),
            lambda database: batch.perform(database, namespace, request.changes),
        )

    def _list(self, request: ListStored, run: Run) -> "Future[KeysListed]":
        namespace = may_store(run)
        options = request.options or ALL_KEYS
        wanted = (
            request.prefix or "",
            page.wanted(options.limit, keyvalue.MAX_KEYS),
            options.after,
        )
        found = self._database.submit(lambda database: keyvalue.keys(database, namespace, *wanted))
        return following(
            found, lambda keys: KeysListed(keys=page.whole(raised(keys), keyvalue.MAX_KEYS, "keys"))
        )
