import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateBackupRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CreateBackupResponse(_message.Message):
    __slots__ = ("contents", "piece")
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    contents: BackupContents
    piece: BackupPiece
    def __init__(self, contents: _Optional[_Union[BackupContents, _Mapping]] = ..., piece: _Optional[_Union[BackupPiece, _Mapping]] = ...) -> None: ...

class BackupContents(_message.Message):
    __slots__ = ("entries", "size_bytes", "version", "schema", "time", "device", "counts")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    entries: int
    size_bytes: int
    version: str
    schema: int
    time: _timestamp_pb2.Timestamp
    device: str
    counts: BackupCounts
    def __init__(self, entries: _Optional[int] = ..., size_bytes: _Optional[int] = ..., version: _Optional[str] = ..., schema: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., device: _Optional[str] = ..., counts: _Optional[_Union[BackupCounts, _Mapping]] = ...) -> None: ...

class BackupCounts(_message.Message):
    __slots__ = ("scripts", "revisions", "values", "executions", "files", "series", "rows", "strange_series", "missing_series")
    SCRIPTS_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STRANGE_SERIES_FIELD_NUMBER: _ClassVar[int]
    MISSING_SERIES_FIELD_NUMBER: _ClassVar[int]
    scripts: int
    revisions: int
    values: int
    executions: int
    files: int
    series: int
    rows: int
    strange_series: int
    missing_series: int
    def __init__(self, scripts: _Optional[int] = ..., revisions: _Optional[int] = ..., values: _Optional[int] = ..., executions: _Optional[int] = ..., files: _Optional[int] = ..., series: _Optional[int] = ..., rows: _Optional[int] = ..., strange_series: _Optional[int] = ..., missing_series: _Optional[int] = ...) -> None: ...

class BackupPiece(_message.Message):
    __slots__ = ("data", "sent_bytes")
    DATA_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    sent_bytes: int
    def __init__(self, data: _Optional[bytes] = ..., sent_bytes: _Optional[int] = ...) -> None: ...

class RestoreBackupRequest(_message.Message):
    __slots__ = ("begin", "data", "check", "confirm")
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    begin: RestoreBegin
    data: bytes
    check: RestoreCheck
    confirm: RestoreConfirm
    def __init__(self, begin: _Optional[_Union[RestoreBegin, _Mapping]] = ..., data: _Optional[bytes] = ..., check: _Optional[_Union[RestoreCheck, _Mapping]] = ..., confirm: _Optional[_Union[RestoreConfirm, _Mapping]] = ...) -> None: ...

class RestoreBegin(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestoreCheck(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestoreConfirm(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestoreBackupResponse(_message.Message):
    __slots__ = ("checked", "restored")
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    RESTORED_FIELD_NUMBER: _ClassVar[int]
    checked: BackupContents
    restored: RestoreDone
    def __init__(self, checked: _Optional[_Union[BackupContents, _Mapping]] = ..., restored: _Optional[_Union[RestoreDone, _Mapping]] = ...) -> None: ...

class RestoreDone(_message.Message):
    __slots__ = ("kept_aside",)
    KEPT_ASIDE_FIELD_NUMBER: _ClassVar[int]
    kept_aside: str
    def __init__(self, kept_aside: _Optional[str] = ...) -> None: ...
