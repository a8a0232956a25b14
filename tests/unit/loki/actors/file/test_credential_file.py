"""Reading tokens and TLS files: only what holds, and only where nobody else may."""

from pathlib import Path

import pytest

from loki.actors.file.credential_file import digest_of, read_tls, read_token, read_tokens
from loki.certificate import PairFiles, make_authority, make_server, now_utc
from loki.core.access.credential import digest
from loki.errors import ConfigurationError
from loki.messages.access import ClientRole, PrincipalEntry, TlsFiles

TOKEN = "0123456789abcdef"


def written(path: Path, content: str, mode: int = 0o600) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    ca, server = PairFiles.of(tmp_path, "ca"), PairFiles.of(tmp_path, "server")
    authority = make_authority(ca, "Test", now_utc())
    make_server(server, authority, ("localhost",), 5, now_utc())
    return TlsFiles(
        certificate=str(server.certificate), key=str(server.key), client_ca=str(ca.certificate)
    )


def test_a_token_is_known_by_its_digest(tmp_path: Path) -> None:
    assert read_token(written(tmp_path / "t", f"{TOKEN}\n")) == digest(TOKEN.encode())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_s_r_4_a_token_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "t", TOKEN, mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600 {path}"):
        read_token(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "at least 16"),
        (b"short", "at least 16"),
        ("ä" * 20, "one line of ASCII"),
        (f"{TOKEN}\n{TOKEN}", "one line of ASCII"),
    ],
)
def test_what_is_no_token_is_told_without_it(text: str | bytes, problem: str) -> None:
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigurationError, match=problem) as raised:
        digest_of(raw, "the place")
    assert raised.value.message.startswith("the place: ")
    assert TOKEN not in raised.value.message


def test_one_bad_token_does_not_take_the_others_along(tmp_path: Path) -> None:
    entries = [
        PrincipalEntry(name=name, roles=(ClientRole.VIEW,), token_file=str(tmp_path / name))
        for name in ("good", "gone")
    ]
    written(tmp_path / "good", TOKEN)
    tokens, problems = read_tokens((*entries, PrincipalEntry(name="other", roles=())))
    assert tokens == {"good": digest(TOKEN.encode())}
    assert [str(problem) for problem in problems] == [
        f"{tmp_path / 'gone'}: cannot be read: No such file or directory"
    ]


def test_a_pair_that_fits_is_read_whole(files: TlsFiles) -> None:
    pem = read_tls(files)
    assert pem.certificate == Path(files.certificate).read_bytes()
    assert pem.key == Path(files.key).read_bytes()
    assert pem.client_ca == Path(files.client_ca).read_bytes()
    assert b"PRIVATE" not in repr(pem).encode()


def test_a_key_of_another_certificate_is_refused(files: TlsFiles, tmp_path: Path) -> None:
    other = PairFiles.of(tmp_path, "other")
    make_authority(other, "Other", now_utc())
    mixed = TlsFiles(certificate=files.certificate, key=str(other.key))
    with pytest.raises(ConfigurationError, match=r"key values mismatch"):
        read_tls(mixed)


@pytest.mark.parametrize("which", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize("content", ["", "no PEM"])
def test_what_is_no_pem_is_refused(files: TlsFiles, which: str, content: str) -> None:
    path = Path(getattr(files, which))
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=str(path)):
        read_tls(files)


def test_a_key_that_others_may_read_is_refused(files: TlsFiles) -> None:
    Path(files.key).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_tls(files)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(files: TlsFiles) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(Path(files.key).read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    Path(files.key).write_bytes(locked)
    with pytest.raises(ConfigurationError, match="the key without a password"):
        read_tls(files)
