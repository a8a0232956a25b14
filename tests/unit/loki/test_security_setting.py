"""What `[security]` may say, and what becomes of it."""

import json
from pathlib import Path

import pytest
import tomli

from loki.config import Settings
from loki.core.access.credential import digest
from loki.errors import ConfigurationError
from loki.messages.access import ClientRole, PrincipalEntry, Quota, TlsFiles
from loki.security_setting import ROLES, access_config

TLS = '[security]\ntls_certificate = "tls/server.crt"\ntls_key = "tls/server.key"\n'
PANEL = '[security.principals.panel]\ntoken_file = "panel.token"\n'


def settings(text: str) -> Settings:
    return Settings.from_toml(text)


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        settings(text)
    return raised.value.message


def test_without_any_this_device_alone_may_call() -> None:
    access = access_config(settings("").security, str, {})
    assert (access.principals, access.anonymous_loopback, access.tls) == ((), True, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7"])
def test_s_r_1_other_devices_need_tls_and_somebody_who_may_call(host: str) -> None:
    text = refused(f'grpc_host = "{host}"')
    assert "TLS ([security] tls_certificate and tls_key) and somebody who may call" in text
    assert "`loki init-tls`" in text
    assert "somebody" not in refused(f'grpc_host = "{host}"\n{PANEL}')
    assert "TLS (" not in refused(f'grpc_host = "{host}"\n{TLS}')
    assert settings(f'grpc_host = "{host}"\n{TLS}{PANEL}').grpc_host == host


def test_a_host_name_is_no_address_to_listen_at() -> None:
    assert "must be an IP address" in refused('grpc_host = "device.home"')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[security]\ntls_key = "k"', "tls_certificate"),
        ('[security]\ntls_certificate = "k"', "tls_key"),
        ('[security]\ntls_client_ca = "k"', "needs tls_certificate, tls_key"),
        ("[security]\nanonymous_loopback = false", "leaves nobody who may call"),
        ("[security.principals.p]", "names no credentials: give token_file"),
        ('[security.principals.p]\ntoken_file = "a"\ntoken_env = "B"', "one token too many"),
        ('[security.principals.p]\ncertificate = "p"', "needs tls_client_ca"),
        ('[security.principals.p]\ntoken_file = "a"\nroles = []', "must not be empty"),
        ('[security.principals.p]\ntoken_file = "a"\nscripts = []', "must not be empty"),
        ('[security.principals.p]\ntoken_file = "a"\nroles = ["red"]', "did you mean 'read'"),
        ('[security.principals.p]\ntoken_file = "a"\nroles = ["view"]', "must be one of 'read'"),
        ('[security.principals.local]\ntoken_file = "a"', "choose another name"),
        ('[security.principals."a b"]\ntoken_file = "a"', "is no name for a principal"),
        ("[security.quotas]\nrequests_per_s = -1", "must be at least 0"),
        (
            '[security.principals.p]\ntoken_file = "a"\n[security.principals.q]\ntoken_file = "a"',
            "is that of 'p' already",
        ),
    ],
)
def test_what_does_not_hold_is_told(text: str, problem: str) -> None:
    assert problem in refused(text)


def test_the_number_of_principals_is_bounded() -> None:
    """Each call pays for all of them."""
    many = "".join(f'[security.principals.p{n}]\ntoken_file = "{n}"\n' for n in range(257))
    assert "are more than 256" in refused(many)


@pytest.mark.parametrize("role", ["adhoc", "admin"])
def test_roles_that_reach_every_script_do_not_go_with_names(role: str) -> None:
    text = f'{PANEL}roles = ["{role}"]\nscripts = ["sensor_*"]'
    assert 'goes with scripts = ["*"] only' in refused(text)
    assert settings(f'{PANEL}roles = ["{role}"]').security.principals["panel"].roles == (role,)


@pytest.mark.parametrize("name", ["token", "password"])
def test_s_r_4_a_secret_in_the_settings_is_refused_and_not_repeated(name: str) -> None:
    text = refused(f'[security.principals.p]\n{name} = "very-secret-token"')
    assert "unknown key" in text
    assert "very-secret" not in text


def test_every_role_of_the_settings_lets_see_and_fault_comes_by_its_own_only() -> None:
    for word, roles in ROLES.items():
        assert ClientRole.VIEW in roles
        assert (ClientRole.FAULT in roles) is (word == "fault")
    assert {role for roles in ROLES.values() for role in roles} == set(ClientRole)


def test_s_r_2_principals_as_the_gateway_is_told_of_them(tmp_path: Path) -> None:
    security = settings(
        TLS
        + """tls_client_ca = "tls/ca.crt"
        [security.quotas]
        requests_per_s = 5
        scripts = 7
        [security.principals.panel]
        token_env = "PANEL"
        roles = ["run", "data"]
        scripts = ["sensor_*"]
        quotas = { runs_in_flight = 0, request_kb_per_s = 2 }
        [security.principals.pump]
        certificate = "pump.home"
        token_file = "pump.token"
        """
    ).security
    access = access_config(
        security, lambda path: str(tmp_path / path), {"PANEL": "0123456789abcdef\n"}
    )
    assert access.tls == TlsFiles(
        certificate=str(tmp_path / "tls/server.crt"),
        key=str(tmp_path / "tls/server.key"),
        client_ca=str(tmp_path / "tls/ca.crt"),
    )
    assert access.principals == (
        PrincipalEntry(
            name="panel",
            roles=(ClientRole.VIEW, ClientRole.EXECUTE, ClientRole.DATA),
            scripts=("sensor_*",),
            token_digest=digest(b"0123456789abcdef"),
            quota=Quota(requests_per_s=5.0, request_bytes_per_s=2048, scripts=7),
        ),
        PrincipalEntry(
            name="pump",
            roles=(ClientRole.VIEW,),
            token_file=str(tmp_path / "pump.token"),
            certificate="pump.home",
            quota=Quota(
                requests_per_s=5.0,
                request_bytes_per_s=8192 * 1024,
                runs_in_flight=8,
                scripts=7,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("environment", "problem"),
    [({}, "no such variable"), ({"PANEL": "short-secret"}, "at least 16 characters")],
)
def test_a_token_of_the_environment_must_be_there(
    environment: dict[str, str], problem: str
) -> None:
    security = settings('[security.principals.p]\ntoken_env = "PANEL"').security
    with pytest.raises(ConfigurationError, match=problem) as raised:
        access_config(security, str, environment)
    assert "security.principals.p.token_env = PANEL" in raised.value.message
    assert "short-secret" not in raised.value.message


def test_settings_with_principals_are_written_and_read_again() -> None:
    made = settings(f"{PANEL}quotas = {{ scripts = 1 }}")
    assert Settings.from_toml(made.to_toml()) == made
    assert Settings.from_json(made.to_json()) == made
    principal = json.loads(made.to_json())["security"]["principals"]["panel"]
    assert principal["quotas"] == {"scripts": 1}
    assert tomli.loads(made.to_toml())["security"]["principals"]["panel"] == principal


def test_one_principal_does_not_get_every_runner() -> None:
    """Another's run would wait for the end of its longest."""
    held = settings("")
    assert 2 * held.security.quotas.runs_in_flight <= held.queue.max_runners


def test_a_role_is_called_as_in_the_settings() -> None:
    """A refusal names the one that is missing."""
    assert {role.value for role in ClientRole} == ROLES.keys()
    assert all(ClientRole(word) in held for word, held in ROLES.items())
