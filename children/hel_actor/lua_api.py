"""What scripts see of Hel, as data."""

from hel_actor.series_api import FUNCTIONS as SERIES_FUNCTIONS
from hel_actor.series_api import SERIES
from loki.child import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)

FILES = "files"
STORAGE = "storage"
SHARE = "share"

_PATH = LuaParameter(
    name="path",
    type=LuaType.STRING,
    doc='Relative to the script\'s own directory, such as "notes/a.txt"; "." is that directory',
)
_KEY = LuaParameter(name="key", type=LuaType.STRING, doc="1 to 1024 bytes of text")
_VALUE = LuaParameter(name="value", type=LuaType.ANY, doc="Anything but a function")

_FILE_FUNCTIONS = (
    LuaFunction(
        name="fs_read",
        request="ReadFile",
        parameters=(_PATH,),
        returns=LuaType.BYTES,
        permission=FILES,
        doc="A file's whole content. Fails with NOT_FOUND where there is no such file.",
    ),
    LuaFunction(
        name="fs_write",
        request="WriteFile",
        parameters=(
            _PATH,
            LuaParameter(name="content", type=LuaType.BYTES, doc="The whole new content"),
        ),
        permission=FILES,
        doc="Makes or replaces a file, wholly or not at all; its directory must exist. "
        "When it returns, the content is on the disk.",
    ),
    LuaFunction(
        name="fs_append",
        request="AppendToFile",
        parameters=(
            _PATH,
            LuaParameter(name="content", type=LuaType.BYTES, doc="What comes at its end"),
        ),
        permission=FILES,
        doc="Adds to the end of a file, or makes it; wholly or not at all. It is written "
        "anew each time: many small records are better stored values.",
    ),
    LuaFunction(
        name="fs_stat",
        request="DescribeEntry",
        parameters=(_PATH,),
        returns=LuaType.OBJECT,
        permission=FILES,
        doc='{type, size_bytes, modified_s}: "file" or "directory", and when it changed last, in '
        "seconds since 1970. Fails with NOT_FOUND where there is neither.",
    ),
    LuaFunction(
        name="fs_delete",
        request="DeleteEntry",
        parameters=(
            _PATH,
            LuaParameter(
                name="options",
                type=LuaType.OBJECT,
                required=False,
                doc="{recursive = true} for a directory with all in it",
            ),
        ),
        permission=FILES,
        doc="Deletes a file or an empty directory; with `recursive`, a whole one, which is gone at "
        "once. Fails with NOT_FOUND where there is none.",
    ),
    LuaFunction(
        name="fs_list_dir",
        request="ListDirectory",
        parameters=(
            _PATH,
            LuaParameter(
                name="options",
                type=LuaType.OBJECT,
                required=False,
                doc="{limit = names at most, of 1 to 10000; after = only names that come after "
                "this one: the last name of a page asks for the next}",
            ),
        ),
        returns=LuaType.ARRAY,
        permission=FILES,
        doc="The names in a directory, sorted. A page with fewer names than its limit is the last "
        "one. Fails with QUOTA for more than 10000 names without a limit.",
    ),
    LuaFunction(
        name="fs_create_dir",
        request="CreateDirectory",
        parameters=(_PATH,),
        permission=FILES,
        doc="Makes a directory, and its parents where they are missing. An existing one is fine.",
    ),
)

_STORAGE_FUNCTIONS = (
    LuaFunction(
        name="storage_get",
        request="GetStored",
        parameters=(_KEY,),
        returns=LuaType.ANY,
        permission=STORAGE,
        doc="The stored value, or nil.",
    ),
    LuaFunction(
        name="storage_set",
        request="SetStored",
        parameters=(_KEY, _VALUE),
        permission=STORAGE,
        doc="Stores a value for ever. When it returns, the value is on the disk.",
    ),
    LuaFunction(
        name="storage_cas",
        request="SwapStored",
        parameters=(
            _KEY,
            LuaParameter(
                name="expected",
                type=LuaType.ANY,
                required=False,
                doc="What must be stored now; nil for nothing",
            ),
            LuaParameter(
                name="value",
                type=LuaType.ANY,
                required=False,
                doc="What is stored then; nil removes it",
            ),
        ),
        returns=LuaType.BOOLEAN,
        permission=STORAGE,
        doc="Compare and set: replaces a stored value that nobody has changed meanwhile, and says "
        "whether it did. 1 and 1.0 are different values.",
    ),
    LuaFunction(
        name="storage_increment",
        request="AddToStored",
        parameters=(
            _KEY,
            LuaParameter(
                name="by", type=LuaType.INTEGER, required=False, doc="How much is added; 1"
            ),
        ),
        returns=LuaType.INTEGER,
        permission=STORAGE,
        doc="Adds to a stored integer and gives the sum, also when many runs do so at once. "
        "Nothing stored counts as 0.",
    ),
    LuaFunction(
        name="storage_remove",
        request="RemoveStored",
        parameters=(_KEY,),
        returns=LuaType.BOOLEAN,
        permission=STORAGE,
        doc="Removes a key, and says whether there was one.",
    ),
    LuaFunction(
        name="storage_keys",
        request="ListStored",
        parameters=(
            LuaParameter(
                name="prefix",
                type=LuaType.STRING,
                required=False,
                doc="Only keys that begin with it",
            ),
            LuaParameter(
                name="options",
                type=LuaType.OBJECT,
                required=False,
                doc="{limit = keys at most, of 1 to 5000; after = only keys that come after this "
                "one: the last key of a page asks for the next}",
            ),
        ),
        returns=LuaType.ARRAY,
        permission=STORAGE,
        doc="The stored keys, sorted. A page with fewer keys than its limit is the last one. Fails "
        "with QUOTA for more than 5000 keys without a limit.",
    ),
    LuaFunction(
        name="storage_batch",
        request="ChangeStored",
        parameters=(
            LuaParameter(
                name="changes",
                type=LuaType.ARRAY,
                doc="1000 at most, each like one call: {op = 'set', key, value}, {op = 'remove', "
                "key}, {op = 'cas', key, expected, value} or {op = 'increment', key, by}",
            ),
        ),
        returns=LuaType.OBJECT,
        permission=STORAGE,
        doc="Makes many changes as one, in order: all are made, also in a power cut, or none. "
        "{done, failed}: where a cas did not find what it expected, done is false and failed its "
        "number, from 1.",
    ),
    LuaFunction(
        name="storage_watch",
        request="WatchStored",
        parameters=(
            LuaParameter(
                name="prefix",
                type=LuaType.STRING,
                required=False,
                doc="Only keys that begin with it",
            ),
            LuaParameter(
                name="options",
                type=LuaType.OBJECT,
                required=False,
                doc="{since = the revision of the call before; without it, changes from now on "
                "count; timeout_ms = how long to wait at most, 0 or more; without it, as long as "
                "the run lasts}",
            ),
        ),
        returns=LuaType.OBJECT,
        permission=STORAGE,
        doc="Waits until stored values change, whoever changes them: {revision, changes, reset}. "
        "Changes are {key, removed, revision}, in order, and none after timeout_ms. With the "
        "revision as `since` of the next call no change is missed between the two. Where that is "
        "too long ago, or before a restart, reset is true: read anew, and go on from `revision`.",
    ),
)

_CACHE_FUNCTIONS = (
    LuaFunction(
        name="cache_get",
        request="GetCached",
        parameters=(_KEY,),
        returns=LuaType.ANY,
        permission=STORAGE,
        doc="The cached value, or nil when it was never set, is too old, or made room.",
    ),
    LuaFunction(
        name="cache_set",
        request="SetCached",
        parameters=(
            _KEY,
            _VALUE,
            LuaParameter(
                name="ttl_ms",
                type=LuaType.INTEGER,
                unit="ms",
                required=False,
                doc="How long it is kept at most, 1 or more; without it there is no such limit",
            ),
        ),
        permission=STORAGE,
        doc="Keeps a value in memory. It is gone after a restart, and may make room for others.",
    ),
    LuaFunction(
        name="cache_invalidate",
        request="InvalidateCached",
        parameters=(_KEY,),
        permission=STORAGE,
        doc="Forgets one cached value.",
    ),
    LuaFunction(
        name="cache_invalidate_all",
        request="InvalidateAllCached",
        permission=STORAGE,
        doc="Forgets all that this script has cached.",
    ),
)

MODULE = LuaModule(
    name="hel",
    child="hel",
    doc="The device's data. Every script has files, stored and cached values and time series of "
    "its own, which all its runs share and no other script sees, unless it declares to share them; "
    "all ad-hoc scripts together count as one.",
    functions=_FILE_FUNCTIONS + _STORAGE_FUNCTIONS + _CACHE_FUNCTIONS + SERIES_FUNCTIONS,
    permissions=(
        PermissionKey(
            name=FILES,
            shape=PermissionShape.MODE,
            doc='The script\'s own files: "r" to read and list them, "rw" to change them as well.',
        ),
        PermissionKey(
            name=STORAGE,
            shape=PermissionShape.FLAG,
            doc="The script's own stored and cached values.",
        ),
        PermissionKey(
            name=SERIES,
            shape=PermissionShape.FLAG,
            doc="The script's own time series.",
        ),
        PermissionKey(
            name=SHARE,
            shape=PermissionShape.NAME,
            doc="A name: in place of data of its own, the script uses those that all scripts with "
            "this name have together: files, stored and cached values and time series.",
        ),
    ),
)
