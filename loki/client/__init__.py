"""A Python client of the public API; it needs nothing of the server.

>>> with LokiClient("127.0.0.1:50070") as client:  # doctest: +SKIP
...     print(client.tools.average(sensor="t1", n=5))
"""

from loki.client.async_client import AsyncExecutionStream, AsyncLokiClient
from loki.client.async_series import AsyncSeriesClient
from loki.client.async_stream import AsyncEvents
from loki.client.async_tools import AsyncTool, AsyncTools, AsyncToolStream
from loki.client.backup import BackupContents, BackupCounts, BackupStream, RestoreStream
from loki.client.client import LokiClient
from loki.client.credential import Credentials
from loki.client.error import LokiClientError
from loki.client.event import Event, Execution, Output, Progress, Result, Usage, Value
from loki.client.log import LogQuery, LogRecord, LogWatch
from loki.client.record import ExecutionRecord, Failure
from loki.client.revision import ScriptRevision
from loki.client.schema import ServerSchema
from loki.client.series import Series, SeriesClient, SeriesQuery, Window
from loki.client.series_rows import Row, Rows, SeriesRows
from loki.client.settings import (
    Setting,
    Settings,
    SettingsClient,
    SettingsUpdate,
    SettingsVersion,
)
from loki.client.stream import ExecutionStream
from loki.client.system_event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    ScriptChanged,
    SettingsChanged,
    SystemEvent,
)
from loki.client.tools import Tool, Tools, ToolStream
from loki.client.watch import EventWatch, FollowReport

__all__ = [
    "AsyncEvents",
    "AsyncExecutionStream",
    "AsyncLokiClient",
    "AsyncSeriesClient",
    "AsyncTool",
    "AsyncToolStream",
    "AsyncTools",
    "BackupContents",
    "BackupCounts",
    "BackupStream",
    "BudgetWarned",
    "ChildChanged",
    "ConfigRejected",
    "Credentials",
    "Event",
    "EventWatch",
    "Execution",
    "ExecutionRecord",
    "ExecutionStream",
    "Failure",
    "FollowReport",
    "LogQuery",
    "LogRecord",
    "LogWatch",
    "LokiClient",
    "LokiClientError",
    "Output",
    "Progress",
    "RestoreStream",
    "Result",
    "Row",
    "Rows",
    "ScriptChanged",
    "ScriptRevision",
    "Series",
    "SeriesClient",
    "SeriesQuery",
    "SeriesRows",
    "ServerSchema",
    "Setting",
    "Settings",
    "SettingsChanged",
    "SettingsClient",
    "SettingsUpdate",
    "SettingsVersion",
    "SystemEvent",
    "Tool",
    "ToolStream",
    "Tools",
    "Usage",
    "Value",
    "Window",
]
