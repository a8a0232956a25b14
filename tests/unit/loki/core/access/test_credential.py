"""Whom a caller's token, certificate and address make it: a table."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.access.credential import Caller, Credentials, credentials_of, digest
from loki.core.access.principal import LOCAL
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.access import ClientRole, PrincipalEntry

VIEW = (ClientRole.VIEW,)
KNOWN = credentials_of(
    (
        PrincipalEntry(name="filed", roles=VIEW, token_file="token"),
        PrincipalEntry(name="named", roles=VIEW, token_digest=digest(b"of-the-environment")),
        PrincipalEntry(name="pinned", roles=VIEW, certificate="panel.home"),
        PrincipalEntry(name="lost", roles=VIEW, token_file="gone"),
    ),
    {"filed": digest(b"of-a-file")},
    anonymous_loopback=True,
)
CLOSED = Credentials(KNOWN.tokens, KNOWN.certificates, anonymous_loopback=False)


def bearer(token: str, scheme: str = "Bearer") -> tuple[str, ...]:
    return (f"{scheme} {token}",)


@pytest.mark.parametrize(
    ("caller", "name"),
    [
        (Caller(local=True), "local"),
        (Caller(local=False, authorization=bearer("of-a-file")), "filed"),
        (Caller(local=True, authorization=bearer("of-a-file")), "filed"),
        (Caller(local=False, authorization=bearer("of-the-environment", "bearer")), "named"),
        (Caller(local=False, names=("cn", "panel.home")), "pinned"),
        (Caller(local=True, names=("panel.home",)), "pinned"),
        (Caller(local=True, names=("stranger",)), "local"),
        (Caller(local=False, authorization=bearer("of-a-file"), names=("panel.home",)), "filed"),
    ],
)
def test_who_is_let_in(caller: Caller, name: str) -> None:
    assert KNOWN.identify(caller).name == name


@pytest.mark.parametrize(
    ("credentials", "caller", "text"),
    [
        (KNOWN, Caller(local=False), "from another device need credentials; send 'authorization"),
        (KNOWN, Caller(local=True, authorization=bearer("wrong")), "the token is not valid"),
        (KNOWN, Caller(local=True, authorization=bearer("")), "the token is not valid"),
        (KNOWN, Caller(local=True, authorization=("Basic eDp5",)), "one 'authorization' header"),
        (KNOWN, Caller(local=True, authorization=("of-a-file",)), "one 'authorization' header"),
        (KNOWN, Caller(local=True, authorization=bearer("of-a-file") * 2), "one 'authorization'"),
        (KNOWN, Caller(local=False, names=("stranger",)), "certificate of 'stranger' is no prin"),
        (
            KNOWN,
            Caller(local=False, authorization=bearer("wrong"), names=("panel.home",)),
            "the token is not valid",
        ),
        (CLOSED, Caller(local=True), "credentials here, also from this device"),
        (CLOSED, Caller(local=True, names=("stranger",)), "certificate of 'stranger'"),
    ],
)
def test_who_is_not_and_why(credentials: Credentials, caller: Caller, text: str) -> None:
    with pytest.raises(PermissionRefused, match=text) as raised:
        credentials.identify(caller)
    assert raised.value.code is ErrorCode.NO_CREDENTIALS
    assert "of-a-file" not in str(raised.value)


def test_every_token_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(held: bytes, shown: bytes) -> bool:
        compared.append(held)
        return held == shown

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert KNOWN.identify(Caller(local=False, authorization=bearer("of-a-file"))).name == "filed"
    assert compared == [held for held, _ in KNOWN.tokens]


def test_tokens_are_kept_as_digests_and_shown_by_nothing() -> None:
    assert hashlib.sha256(b"of-a-file").digest() in dict(KNOWN.tokens)
    assert "tokens" not in repr(KNOWN)
    assert "of-a-file" not in repr(Caller(local=False, authorization=bearer("of-a-file")))


def test_without_settings_this_device_alone_is_let_in() -> None:
    assert Credentials().identify(Caller(local=True)) == LOCAL
    with pytest.raises(PermissionRefused):
        Credentials().identify(Caller(local=False, names=("x",)))


ANY_TEXT = st.text(st.characters())  # Also what UTF-8 cannot say.


@given(
    headers=st.lists(st.one_of(ANY_TEXT, ANY_TEXT.map("Bearer ".__add__)), max_size=3),
    names=st.lists(st.text(), max_size=3),
    local=st.booleans(),
)
def test_nothing_that_is_made_up_lets_anybody_in(
    headers: list[str], names: list[str], local: bool
) -> None:
    caller = Caller(local=local, authorization=tuple(headers), names=tuple(names))
    with pytest.raises(PermissionRefused) as raised:
        CLOSED.identify(caller)
    assert raised.value.code is ErrorCode.NO_CREDENTIALS
