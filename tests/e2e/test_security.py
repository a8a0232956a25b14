"""One Loki with TLS, client certificates and tokens; nobody without them, on loopback either."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from loki.client import Credentials, LogQuery, LokiClient, LokiClientError
from loki.testing import LokiServer

pytestmark = pytest.mark.e2e

NODE = Path(__file__).parent / "node"
PROTO = Path(__file__).parents[2] / "proto"
BUF = NODE / "node_modules" / ".bin" / "buf"
TIMEOUT_S = 60.0
SETTINGS = """
[security]
tls_certificate = "{tls}/server.crt"
tls_key = "{tls}/server.key"
tls_client_ca = "{tls}/ca.crt"
anonymous_loopback = false
adhoc_permissions = {{}}

[security.principals.pump]
certificate = "pump"
roles = ["run"]
scripts = ["pump_*"]

[security.principals.root]
token_file = "{tls}/root.token"
roles = ["run", "register", "adhoc", "data", "admin"]

[security.principals.reader]
token_file = "{tls}/reader.token"
quotas = {{ requests_per_s = 0.001 }}
"""
TOOLS = """
[[tools]]
name = "pump_state"
return_type = "string"
script = { inline = "return 'on'" }

[[tools]]
name = "vault"
return_type = "string"
script = { inline = "return 'secret'" }
"""


@dataclass(frozen=True)
class Device:
    server: LokiServer
    tls: Path

    def client(self, certificate: str = "pump", token: str = "") -> LokiClient:
        shown = Credentials(
            ca=(self.tls / "ca.crt").read_bytes(),
            certificate=(self.tls / f"{certificate}.crt").read_bytes(),
            key=(self.tls / f"{certificate}.key").read_bytes(),
            token=(self.tls / f"{token}.token").read_text().strip() if token else "",
        )
        return LokiClient(self.server.address, credentials=shown, timeout_s=TIMEOUT_S, patience_s=0)

    def files(self, certificate: str = "pump") -> tuple[str, ...]:
        """Options of the command line."""
        pair = ("--tls-cert", f"{self.tls}/{certificate}.crt")
        pair += ("--tls-key", f"{self.tls}/{certificate}.key")
        return ("--tls-ca", f"{self.tls}/ca.crt", *pair)


def loki(*words: str, address: str = "") -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
    return subprocess.run(
        [sys.executable, "-m", "loki", *words],
        env=inherited | {"LOKI_SERVER": address},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    tls = tmp_path_factory.mktemp("device") / "tls"
    made = loki("init-tls", str(tls), *["--client", "pump", "--client", "stranger"])
    assert made.returncode == 0, made.stderr
    made = loki("init-tls", str(tls), "--token", "root", "--token", "reader")
    assert made.returncode == 0, made.stderr
    with LokiServer(config=SETTINGS.format(tls=tls), tools=TOOLS) as server:
        yield Device(server, tls)


def refused(client: LokiClient, call: Callable[[LokiClient], object]) -> LokiClientError:
    with client, pytest.raises(LokiClientError) as raised:
        call(client)
    return raised.value


def test_s_r_1_a_certificate_says_who_calls_and_what_it_sees(device: Device) -> None:
    with device.client() as client:
        assert [script.name for script in client.list_scripts()] == ["pump_state"]
        assert [script.name for script in client.get_capabilities().scripts] == ["pump_state"]
        done = client.execute("pump_state")
        assert done.value == "on"
        record = client.get_execution(done.id)
        assert record.principal == "pump"


def test_s_r_2_a_token_counts_before_the_certificate(device: Device) -> None:
    with device.client(token="root") as client:
        assert {script.name for script in client.list_scripts()} == {"pump_state", "vault"}
        run = client.execute("vault").id
        assert client.get_execution(run).principal == "root"
    error = refused(device.client(), lambda client: client.get_execution(run))
    assert (error.reason, run in error.message) == ("EXECUTION_NOT_FOUND", True)
    error = refused(device.client(), lambda client: client.cancel(run))
    assert error.reason == "EXECUTION_NOT_FOUND"
    with device.client() as client:
        assert "vault" not in {record.script for record in client.list_executions()}


@pytest.mark.parametrize("name", ["vault", "vaul"])
def test_s_r_2_what_may_not_be_seen_is_not_there(device: Device, name: str) -> None:
    for call in (LokiClient.execute, LokiClient.get_script):
        error = refused(device.client(), lambda client, call=call: call(client, name))
        assert (error.reason, error.message) == (
            "SCRIPT_NOT_FOUND",
            f"there is no script '{name}'",
        )


def test_s_r_2_a_role_that_is_missing_is_named(device: Device) -> None:
    for call in (
        lambda client: client.execute(source="return 1"),
        lambda client: next(iter(client.watch_logs())),
        lambda client: client.reset_child("hel"),
    ):
        error = refused(device.client(), call)
        assert (error.reason, error.code) == ("ROLE", grpc.StatusCode.PERMISSION_DENIED)


def test_s_r_2_a_certificate_of_nobody_is_refused(device: Device) -> None:
    error = refused(device.client("stranger"), lambda client: list(client.list_scripts()))
    assert error.reason == "NO_CREDENTIALS"
    assert "client certificate of 'stranger'" in error.message


def test_a_quota_is_told_with_the_time_to_wait(device: Device) -> None:
    with device.client(token="reader") as client:
        assert list(client.list_scripts())
        with pytest.raises(LokiClientError) as raised:
            list(client.list_scripts())
    assert raised.value.reason == "QUOTA"
    assert (raised.value.retry_after_s or 0) > 1
    assert raised.value.details["principal"] == "reader"


def test_the_command_line_says_what_is_missing(device: Device, tmp_path: Path) -> None:
    """Each in one line, and what to give instead."""
    address = device.server.address
    ca, *pair = device.files()[:2], *device.files()[2:]
    other = tmp_path / "other"
    assert loki("init-tls", str(other)).returncode == 0
    for words, said in (
        ((), "wants TLS: give --tls-ca FILE"),
        (ca, "wants a client certificate: give --tls-cert and --tls-key"),
        (("--tls-ca", f"{other}/ca.crt", *pair), f"of another authority than {other}/ca.crt"),
        (device.files("stranger"), "NO_CREDENTIALS: the client certificate of 'stranger'"),
    ):
        done = loki("list", *words, address=address)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr, words
        assert len(done.stderr.splitlines()) == 1
    done = loki("call", "pump_state", *device.files(), address=address)
    assert done.stdout == "on\n"
    root = ("--token-file", f"{device.tls}/root.token")
    assert loki("call", "vault", *device.files(), *root, address=address).stdout == "secret\n"


def output_of(*command: str) -> str:
    done = subprocess.run(
        command, cwd=NODE, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_s_r_1_node_shows_a_certificate_and_a_token(
    device: Device, need: Callable[..., None]
) -> None:
    need("node", "run `make node`", here=BUF.exists())
    words = ("node", "secure.js", device.server.address, str(PROTO), str(device.tls), "pump")
    assert json.loads(output_of(*words)) == {"scripts": ["pump_state"], "value": "on"}
    told = json.loads(output_of(*words, f"{device.tls}/root.token"))
    assert told["scripts"] == ["pump_state", "vault"]


def test_s_r_1_buf_curl_shows_a_certificate(device: Device, need: Callable[..., None]) -> None:
    need("node", "run `make node`", here=BUF.exists())
    shown = ("--cacert", "ca.crt", "--cert", "pump.crt", "--key", "pump.key")
    files = [word if word.startswith("-") else f"{device.tls}/{word}" for word in shown]
    method = f"https://{device.server.address}/loki.v1.LokiService/ListScripts"
    told = json.loads(output_of(str(BUF), "curl", "--protocol", "grpc", *files, method))
    assert [script["name"] for script in told["scripts"]] == ["pump_state"]


def test_refusals_are_logged_once_and_no_secret_ever(device: Device) -> None:
    for _ in range(5):
        refused(device.client(), lambda client: client.reset_child("hel"))
    lines = [line for line in device.server.log.splitlines() if "refused pump: " in line]
    assert 1 <= len(lines) < 5  # One, unless this took minutes.
    written = device.server.log + "".join(
        path.read_text(errors="replace") for path in (device.server.state_dir / "log").iterdir()
    )
    for name in ("root", "reader"):
        assert (device.tls / f"{name}.token").read_text().strip() not in written


def test_s_r_1_new_files_are_taken_without_a_restart(device: Device) -> None:
    """A broken certificate is an event, and leaves the old one; a good one is shown."""
    certificate, key = device.tls / "server.crt", device.tls / "server.key"
    with device.client(token="root") as client:
        with client.watch_events(("config",)) as events:
            events.start()
            certificate.write_text("broken")
            assert str(certificate) in str(next(events))
        certificate.unlink()
        key.unlink()
        assert loki("init-tls", str(device.tls)).returncode == 0
        for record in client.follow_logs(LogQuery(lines=100)):
            if "a new TLS certificate is shown" in record.message:
                break
    with device.client() as client:
        assert client.execute("pump_state").value == "on"


def test_s_r_2_from_another_device_nobody_calls_without_credentials(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    """The only test that serves more than the loopback, where nobody else is."""
    apart = ("unshare", "--net", *(() if os.getuid() == 0 else ("--map-root-user",)))
    possible = subprocess.run((*apart, "true"), capture_output=True, check=False).returncode == 0
    need("unshare", "a network namespace is needed", here=possible)
    program = Path(__file__).parent / "other_device.py"
    words = (*apart, sys.executable, str(program), str(tmp_path / "tls"))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
    done = subprocess.run(
        words, env=inherited, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "here": "local",
        "there": "NO_CREDENTIALS",
        "there, with a token": "panel",
        "there, with another": "NO_CREDENTIALS",
        "there, readable": "UNAVAILABLE",
    }
