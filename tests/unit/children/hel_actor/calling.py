"""Calls to Hel, as the runs of a script make them."""

from collections.abc import Callable
from typing import Any

from loki.child import Run
from loki.messages.value import Packed, pack

Start = Callable[..., Any]
"""Starts a Hel with these settings; see conftest."""

EVERYTHING = {"files": ("rw",), "storage": ("*",)}


def run(script: str = "tool", declared_in: str = "tools.toml", **permissions: Any) -> Run:
    return Run("r1", script, "local", 1, declared_in, permissions or EVERYTHING)


def text(content: str | bytes) -> Packed:
    return pack(content)
