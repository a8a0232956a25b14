"""Source that comes along with a call: what its header declares, and what errors call it."""

import msgspec

from loki.messages.execution import Cause, RunFinished, SubmitRun
from loki.messages.library import HeaderRead, ReadHeader
from loki.messages.script import Origin, ValueType
from loki.v1 import service_pb2


def test_s_3_1_7_a_source_is_sent_along(hosted, shell, stub) -> None:
    shell.play = lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script="adhoc", cause=Cause.FINISHED)
    )
    request = service_pb2.ExecuteScriptRequest()
    request.input.source = "return nil"
    answer = stub.ExecuteScript(request)
    assert answer.result.value.WhichOneof("kind") == "null_value"
    adhoc = shell.wait_for(SubmitRun).adhoc
    assert (adhoc.source, adhoc.origin, adhoc.language) == ("return nil", Origin.ADHOC, "lua")


def test_a_header_is_read_by_the_library(hosted, shell, stub) -> None:
    shell.play = lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script="adhoc", cause=Cause.FINISHED)
    )
    shell.answers[ReadHeader] = lambda request: HeaderRead(
        script=msgspec.structs.replace(request.script, return_type=ValueType.VOID)
    )
    request = service_pb2.ExecuteScriptRequest()
    request.input.source = "--- loki: return_type = 'void'\nreturn"
    request.input.source_name = "far/" * 99 + "a.lua"
    stub.ExecuteScript(request)
    submit = shell.wait_for(SubmitRun)
    assert submit.declared
    assert submit.adhoc.return_type is ValueType.VOID
    assert submit.adhoc.chunk.endswith("/far/a.lua")
    assert len(submit.adhoc.chunk) == 200


def test_what_only_looks_like_a_header_declares_nothing(hosted, shell, stub) -> None:
    shell.play = lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script="adhoc", cause=Cause.FINISHED)
    )
    shell.answers[ReadHeader] = lambda _: HeaderRead(script=None)
    request = service_pb2.ExecuteScriptRequest()
    request.input.source = "return [[\n--- loki:\n]]"
    stub.ExecuteScript(request)
    submit = shell.wait_for(SubmitRun)
    assert (submit.declared, submit.adhoc.chunk) == (False, "adhoc")
