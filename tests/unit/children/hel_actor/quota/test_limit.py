"""Limits of tools, remembered for what follows from their runs."""

import sqlite3

from hel_actor.quota import limit
from hel_actor.quota.quota import Account, common_account

OWN = Account("tool", "'tool'", 3, "[tools.limits] max_disk_mb")


def test_a_tool_s_own_limit_is_remembered_until_it_has_none(db: sqlite3.Connection) -> None:
    limit.keep(db, OWN)
    assert limit.kept(db, "tool") == OWN
    assert limit.kept(db, "another") is None
    limit.keep(db, common_account("tool", 256))
    assert limit.kept(db, "tool") is None


def test_a_damaged_limit_is_none(db: sqlite3.Connection) -> None:
    limit.keep(db, OWN)
    db.execute("UPDATE own_limit SET limit_mb = 'abc'")
    assert limit.kept(db, "tool") is None
