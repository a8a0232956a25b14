"""A child through which a benchmark makes any actor of a buggy Loki meet its bug."""

from collections.abc import Mapping

from pydantic import BaseModel

from loki.child import (
    Child,
    ChildRole,
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    Run,
    RunHandler,
)
from loki.messages.envelope import Done, Message, Request


class MeetBug(Message):
    """Anybody -> an actor of `benchmarks.buggy`: raise."""


class Upset(Request[Done]):
    """Script -> Upsetting: send MeetBug to that actor."""

    actor: str


class UpsettingConfig(BaseModel):
    state_dir: str = ""


class Upsetting(ChildRole):
    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {Upset: self._upset}

    def _upset(self, request: Upset, _run: Run) -> Message:
        self.shell.send(request.actor, MeetBug())
        return Done()


CHILD = Child(
    module=LuaModule(
        name="upsetting",
        child="upsetting",
        doc="Makes actors meet their bugs.",
        functions=(
            LuaFunction(
                name="upset",
                request="Upset",
                parameters=(LuaParameter(name="actor", type=LuaType.STRING, doc="Its name"),),
                doc="Makes that actor raise what it does not expect.",
            ),
        ),
    ),
    role="benchmarks.upsetting_actor:Upsetting",
    config="benchmarks.upsetting_actor:UpsettingConfig",
)
