"""Loki runs small Lua scripts on devices and makes each one callable over gRPC, safely."""

__version__ = "0.1.0"
