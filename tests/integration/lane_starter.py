"""A starter for `test_lanes`, run as a process of its own: `lane_starter.py STATE_DIR`.

Says on one line of JSON which processes there are once all is up, then waits for the end.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import msgspec
from supervised import supervised

from loki.actors.base.lifeline import Ledger
from loki.actors.start.system import Instance, System
from loki.messages.lifecycle import DescribeChildren
from loki.messages.tree import ActorPlan, SupervisorConfig


def plan(run_dir: str) -> SupervisorConfig:
    def actor(name: str, role: str) -> ActorPlan:
        config = msgspec.Raw(msgspec.msgpack.encode(run_dir))
        return ActorPlan(name=name, role=f"lane_actor:{role}", config=config)

    actors = (
        actor("echo", "Server"),
        actor("async", "AsyncServer"),
        actor("keeper", "Keeper"),
    )
    return supervised(actors, run_dir)


async def live(system: System, ledger: Ledger) -> None:
    starter = system.connect()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await system.up()
    from lane_actor import Spawn

    door = system._door
    assert door is not None
    child = await door.ask("keeper", Spawn(name="runner-1"), timeout_s=30)
    children = (await door.ask("loki", DescribeChildren(), timeout_s=30)).children
    pids = {status.name: status.pid for status in children}
    pids["runner-1"] = child.peer_pid
    print(json.dumps({"pids": pids, "all": ledger.pids}), flush=True)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((stopped, starter.down), return_when=asyncio.FIRST_COMPLETED)
    reason = starter.down.result().reason if starter.down.done() else "asked to"
    await system.stop(2.0)
    print(json.dumps({"down": reason}), flush=True)


def main() -> None:
    instance = Instance(Path(sys.argv[1]))
    system = System(instance, plan(str(instance.run_dir)))
    system.boot()
    asyncio.run(live(system, instance.ledger))


if __name__ == "__main__":
    main()
