"""What scripts keep, as their authors meet it: limits, batches, changes, sharing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

CONFIG = """
[children_config.hel]
quota_mb = 2
"""
TOOLS = '''
[[tools]]
name = "fill"
return_type = "integer"
parameters = [{ name = "kb", type = "integer" }]
permissions = { files = "rw", storage = true }
limits = { max_disk_mb = 1, max_memory_mb = 50 }
script = { inline = """
hel:storage_set("note", "kept")
hel:fs_write("a", ("x"):rep(params.kb * 1024 // 2))
hel:fs_write("b", ("x"):rep(params.kb * 1024 // 2))
return params.kb""" }

[[tools]]
name = "fill_and_clear"
return_type = "string"
permissions = { files = "rw" }
limits = { max_memory_mb = 50 }
script = { inline = """
local half = ("x"):rep(1024 * 1024)
hel:fs_write("a", half)
hel:fs_write("b", half)
local ok, refused = pcall(function() hel:fs_write("c", "x") end)
hel:fs_delete("a")
hel:fs_write("c", "x")
return refused.code .. " " .. refused.message""" }

[[tools]]
name = "swap"
return_type = "object"
permissions = { storage = true }
parameters = [{ name = "expected", type = "integer" }]
script = { inline = """
hel:storage_cas("left", nil, 1)
local done = hel:storage_batch{
  { op = "set", key = "right", value = { list = {1, 2} } },
  { op = "cas", key = "left", expected = params.expected, value = 2 },
}
return { done = done.done, failed = done.failed, keys = hel:storage_keys("", { limit = 9 }) }""" }

[[tools]]
name = "inbox"
return_type = "array"
permissions = { storage = true }
limits = { max_execution_time_ms = 60000 }
parameters = [
  { name = "key", type = "string", required = false },
  { name = "wanted", type = "integer", required = false, default = 0 },
]
script = { inline = """
if params.key then hel:storage_set(params.key, true) return {} end
local seen, keys = hel:storage_watch("mail/", { timeout_ms = 0 }).revision, {}
loki.emit(seen)
while #keys < params.wanted do
  local news = hel:storage_watch("mail/", { since = seen })
  for _, change in ipairs(news.changes) do keys[#keys + 1] = change.key end
  seen = news.revision
end
return keys""" }

[[tools]]
name = "grow"
return_type = "integer"
permissions = { storage = true, files = "rw", series = true, share = "greenhouse" }
script = { inline = """
hel:fs_write("plan.txt", "water at noon")
hel:cache_set("seen", "tomatoes")
hel:series_append("moisture", 0.5)
return hel:storage_increment("waterings")""" }

[[tools]]
name = "visit"
return_type = "object"
permissions = { storage = true, files = "r", series = true, share = "greenhouse" }
script = { inline = """
return {
  plan = hel:fs_read("plan.txt"), seen = hel:cache_get("seen"),
  waterings = hel:storage_get("waterings"), series = hel:series_names(),
}""" }

[[tools]]
name = "greenhouse"
return_type = "integer"
permissions = { storage = true, files = "r", series = true }
script = { inline = """
assert(hel:cache_get("seen") == nil)
return #hel:storage_keys() + #hel:fs_list_dir(".") + #hel:series_names()""" }

[[tools]]
name = "mistake"
return_type = "string"
permissions = { storage = true }
script = { inline = """
local _, unknown = pcall(hel.storage_batch, hel, {{ op = "set", key = "k", value = 1, when = 1 }})
local _, missing = pcall(hel.storage_batch, hel, {{ op = "set", key = "k" }})
return unknown.message .. "; " .. missing.message""" }

[[tools]]
name = "through"
return_type = "integer"
permissions = { tools = ["fill"] }
script = { inline = "return loki.call('fill', {kb = 2000})" }
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    with LokiServer(config=CONFIG, tools=TOOLS) as started:
        yield started


@pytest.fixture(scope="module")
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def test_s_5_2_4_a_tool_is_refused_what_is_beyond_its_own_limit(client: LokiClient) -> None:
    assert client.execute("fill", {"kb": 1016}).value == 1016
    with pytest.raises(LokiClientError) as refused:
        client.execute("fill", {"kb": 1020})
    assert refused.value.reason == "DISK_BUDGET"
    assert refused.value.code_name == "RESOURCE_EXHAUSTED"
    assert "delete something, or raise [tools.limits] max_disk_mb, which is 1" in str(refused.value)


def test_s_5_2_4_a_called_tool_has_its_own_limit_too(client: LokiClient) -> None:
    with pytest.raises(LokiClientError, match="max_disk_mb, which is 1"):
        client.execute("through")


def test_s_5_2_4_without_one_that_of_all_scripts_holds_and_can_be_caught(
    client: LokiClient,
) -> None:
    assert client.execute("fill_and_clear").value == (
        "DISK_BUDGET 'fill_and_clear' keeps 2097152 bytes and asks for 4096 more, but may keep "
        "2097152 in all; delete something, or raise [children_config.hel] quota_mb, which is 2"
    )


def test_s_8_3_1_a_batch_is_done_or_tells_what_it_did_not_find(client: LokiClient) -> None:
    assert client.execute("swap", {"expected": 7}).value == {
        "done": False,
        "failed": 2,
        "keys": ["left"],
    }
    assert client.execute("swap", {"expected": 1}).value == {
        "done": True,
        "keys": ["left", "right"],
    }


def test_a_mistake_in_a_batch_is_named(client: LokiClient) -> None:
    told = client.execute("mistake").value
    assert "unknown field `when` - at `$.changes[0]`" in told
    assert "change 1: a value is missing; op = 'remove' removes one" in told


def test_s_8_3_1_a_run_that_waits_is_woken_by_other_runs(
    server: LokiServer, client: LokiClient
) -> None:
    with ThreadPoolExecutor(3) as threads, server.client() as others:
        waiting = []
        for _ in range(3):
            stream = client.stream("inbox", {"wanted": 20})
            stream.read()  # It knows the revision now.
            waiting.append(threads.submit(list, stream))
        keys = [f"mail/{number}" for number in range(20)]
        for key in keys:
            others.execute("inbox", {"key": key})
            others.execute("inbox", {"key": "elsewhere"})
        for each in waiting:
            assert each.result(60)[-1].execution.value == keys


def test_s_8_3_1_waiting_ends_with_the_run(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as ended:
        client.execute("inbox", {"wanted": 1}, timeout_s=0.5)
    assert ended.value.reason == "CLIENT_DEADLINE"
    assert client.execute("inbox", {"wanted": 0}).value == []


def test_s_8_3_1_tools_that_share_have_everything_together(client: LokiClient) -> None:
    assert client.execute("grow").value == 1
    assert client.execute("visit").value == {
        "plan": "water at noon",
        "seen": "tomatoes",
        "waterings": 1,
        "series": ["moisture"],
    }
    assert client.execute("greenhouse").value == 0  # Its name is that of what they share.
