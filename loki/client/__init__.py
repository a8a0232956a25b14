"""A Python client of the public API; it needs nothing of the server.

>>> with LokiClient("127.0.0.1:50070") as client:  # doctest: +SKIP
...     print(client.execute("average", {"sensor": "t1", "n": 5}).value)
"""

from loki.client.client import LokiClient
from loki.client.error import LokiClientError
from loki.client.event import Event, Execution, Output, Progress, Result, Usage, Value
from loki.client.stream import ExecutionStream

__all__ = [
    "Event",
    "Execution",
    "ExecutionStream",
    "LokiClient",
    "LokiClientError",
    "Output",
    "Progress",
    "Result",
    "Usage",
    "Value",
]
