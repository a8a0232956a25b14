"""The tables of Hel's database, in the order in which they came; see `database.migration`."""

from hel_actor.database.migration import Migration
from hel_actor.quota.limit import LIMITS
from hel_actor.quota.usage import USAGE
from hel_actor.series import sequence
from hel_actor.series.removal import REMOVAL
from hel_actor.value.epoch import EPOCH

MIGRATIONS: tuple[Migration, ...] = (
    (  # Files from before migrations were counted have some of these already.
        """
        CREATE TABLE IF NOT EXISTS keyvalue (
            namespace TEXT NOT NULL,
            key BLOB NOT NULL,  -- UTF-8; as bytes, so that order and prefixes are exact.
            value BLOB NOT NULL,
            PRIMARY KEY (namespace, key)
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS series (
            id INTEGER PRIMARY KEY,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            mark TEXT NOT NULL,  -- Also in its files: those of another series are never touched.
            chunk_rows INTEGER NOT NULL,
            next_row INTEGER NOT NULL DEFAULT 0,
            waiting INTEGER NOT NULL DEFAULT 0,  -- Rows in series_row.
            dropped INTEGER NOT NULL DEFAULT 0,  -- The first chunk that there still is.
            chunks INTEGER NOT NULL DEFAULT 0,  -- The number of the next one.
            sequence_floor INTEGER,  -- Which client sequences up to here there were is forgotten.
            UNIQUE (namespace, name)
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS series_row (
            series INTEGER NOT NULL,
            row INTEGER NOT NULL,
            time_ns INTEGER NOT NULL,
            value REAL NOT NULL,
            quality INTEGER NOT NULL,
            PRIMARY KEY (series, row)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS series_chunk (
            series INTEGER NOT NULL,
            number INTEGER NOT NULL,
            oldest_ns INTEGER NOT NULL,
            newest_ns INTEGER NOT NULL,
            size_bytes INTEGER NOT NULL,
            PRIMARY KEY (series, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS series_attributes (
            series INTEGER PRIMARY KEY,
            attributes TEXT NOT NULL  -- An object as JSON.
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS series_sequence (
            series INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            PRIMARY KEY (series, sequence)
        ) WITHOUT ROWID
        """,
    ),
    (  # Scripts that were registered, and the settings that Loki ran with.
        """
        CREATE TABLE script (
            name TEXT PRIMARY KEY,
            current TEXT,  -- A revision; NULL when it was removed.
            changed_by TEXT NOT NULL,
            changed_ns INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE script_revision (
            id INTEGER PRIMARY KEY,  -- In the order in which they were registered first.
            name TEXT NOT NULL,
            revision TEXT NOT NULL,
            principal TEXT NOT NULL,
            registered_ns INTEGER NOT NULL,
            content BLOB NOT NULL,  -- A script, as the Library packs it.
            UNIQUE (name, revision)
        )
        """,
        """
        CREATE TABLE settings_version (
            number INTEGER PRIMARY KEY,
            time_ns INTEGER NOT NULL,
            text TEXT NOT NULL
        )
        """,
    ),
    USAGE,
    (
        """
        CREATE TABLE execution (
            number INTEGER PRIMARY KEY,  -- Grows with each submission, over all sessions.
            id TEXT NOT NULL UNIQUE,
            script TEXT NOT NULL,
            principal TEXT NOT NULL,
            revision TEXT NOT NULL,
            submitted_ns INTEGER NOT NULL,
            started_ns INTEGER NOT NULL,
            ended_ns INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            runner_pid INTEGER NOT NULL,
            cause TEXT NOT NULL,  -- Empty until it has ended.
            complete INTEGER NOT NULL,
            told BLOB NOT NULL  -- Its end as its caller was told it; a short one if it was long.
        )
        """,
        "CREATE INDEX execution_live ON execution (number) WHERE cause = ''",
        """
        CREATE TABLE execution_result (
            number INTEGER PRIMARY KEY,
            size_bytes INTEGER NOT NULL,
            told BLOB NOT NULL  -- A long end.
        )
        """,
    ),
    (
        """
        CREATE TABLE series_downsampling (
            source INTEGER NOT NULL,
            target INTEGER NOT NULL UNIQUE,  -- Rows of two sources would be mixed up.
            every_ns INTEGER NOT NULL,
            statistic TEXT NOT NULL,
            done_ns INTEGER NOT NULL,  -- The windows that end here or before are in the target.
            PRIMARY KEY (source, target)
        ) WITHOUT ROWID
        """,
    ),
    (  # Field numbers of typed methods: a row is never changed.
        """
        CREATE TABLE field_number (
            service TEXT NOT NULL,
            parameter TEXT NOT NULL,
            type TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (service, parameter, type),
            UNIQUE (service, number)
        ) WITHOUT ROWID
        """,
    ),
    EPOCH,
    sequence.COUNT,
    REMOVAL,
    LIMITS,
)
