"""What Dispatcher and runners are told at boot."""

import msgspec

from loki.messages.lua_module import LuaModule
from loki.messages.script import Limits, Permissions


class DispatcherConfig(msgspec.Struct, frozen=True, kw_only=True):
    modules: tuple[LuaModule, ...]
    keeper: str = ""  # The child that keeps what Loki must not forget; "" where none does.
    disabled: tuple[str, ...] = ()  # Modules whose child is switched off.
    default_limits: Limits = Limits()
    ceiling: Limits = Limits()
    adhoc_permissions: Permissions = {}
    warm_runners: int = 2
    most_runners: int = 16
    longest_queue: int = 1000
    script_cache_size: int = 100
    heartbeat_s: float = 0.5  # 0 looks for no hung runners.
    run_dir: str


class RunnerConfig(msgspec.Struct, frozen=True, kw_only=True):
    modules: tuple[LuaModule, ...]
    disabled: tuple[str, ...] = ()
    script_cache_size: int = 100  # The Dispatcher's own: what one evicts, the other evicts.
    walled: bool = False  # For good: only for a process of its own, which does nothing else.
    ceiling: Limits = Limits()
