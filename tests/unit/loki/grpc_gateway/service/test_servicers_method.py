"""Typed methods in what clients are told of scripts."""

from loki.messages.engine import ChunkCacheStatistics, DescribeEngines, EnginesListed
from loki.messages.interface import PublishInterfaces
from loki.messages.library import GetScript, ListScripts, ScriptFound, ScriptsListed
from loki.messages.lifecycle import ChildrenListed, DescribeChildren
from loki.messages.module import DescribeModules, ModulesDescribed
from loki.v1 import service_pb2
from tests.unit.loki.grpc_gateway.interface import interface
from tests.unit.loki.grpc_gateway.rpc import SCRIPT

NO_CACHE = ChunkCacheStatistics(entries=0, capacity=0, hits=0, misses=0, evictions=0, compiles=0)


def test_s_3_3_3_methods_are_named_exactly_when_they_are_there(hosted, shell, stub) -> None:
    shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=(SCRIPT,))
    shell.answers[GetScript] = lambda _: ScriptFound(script=SCRIPT)
    shell.answers[DescribeChildren] = lambda _: ChildrenListed(children=())
    shell.answers[DescribeEngines] = lambda _: EnginesListed(engines=())
    shell.answers[DescribeModules] = lambda _: ModulesDescribed(statistics=NO_CACHE)

    def methods() -> list[str]:
        capabilities = stub.GetCapabilities(service_pb2.GetCapabilitiesRequest())
        listed = stub.ListScripts(service_pb2.ListScriptsRequest())
        found = stub.GetScript(service_pb2.GetScriptRequest(name="average"))
        return [capabilities.scripts[0].method, listed.scripts[0].method, found.script.method]

    method = "loki.tools.v1.AverageService/Call"
    assert methods() == ["", "", ""]
    hosted.publish(PublishInterfaces(changed=(interface("average"),)))
    assert methods() == [method, method, method]
    hosted.publish(PublishInterfaces(changed=(interface("average", revision="r2"),)))
    assert methods() == [method, method, ""]  # The one that GetScript gave is r1.
    hosted.publish(PublishInterfaces(removed=("average",)))
    assert methods() == ["", "", ""]
