"""A child of Loki with a bug: an honest way to an exception, without a trigger in production."""

from collections.abc import Mapping

from pydantic import BaseModel

from loki.child import Child, ChildRole, LuaFunction, LuaModule, Run, RunHandler
from loki.messages.envelope import Done, Message, Request


class Greet(Request[Done]):
    """Script -> Faulty: answer."""


class Stumble(Request[Done]):
    """Script -> Faulty: meet the bug."""


class FaultyConfig(BaseModel):
    state_dir: str = ""


class Faulty(ChildRole):
    """Answers, or raises what is no LokiError: then the shell replies, and ends the actor."""

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {Greet: self._ping, Stumble: self._stumble}

    def _ping(self, _request: Message, _run: Run) -> Message:
        return Done()

    def _stumble(self, _request: Message, _run: Run) -> Message:
        raise ZeroDivisionError("a bug")


CHILD = Child(
    module=LuaModule(
        name="faulty",
        child="faulty",
        doc="Has a bug.",
        functions=(
            LuaFunction(name="ping", request="Greet", parameters=(), doc="Answers."),
            LuaFunction(name="stumble", request="Stumble", parameters=(), doc="Ends the child."),
        ),
    ),
    role="benchmarks.faulty_actor:Faulty",
    config="benchmarks.faulty_actor:FaultyConfig",
    vital=True,  # No back-off: how soon it is back is what is measured.
)
