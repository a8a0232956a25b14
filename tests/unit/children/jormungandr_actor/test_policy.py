"""Which URLs are taken, which of them a permission allows, and where they may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jormungandr_actor.policy import Pattern, forbidden, matching, target_of

from loki.errors import InvalidArgument


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://EXAMPLE.com:80/A", "http://example.com/A"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://example.com./x", "http://example.com/x"),
        ("http://example.com/a?b=c&d=/..#there", "http://example.com/a?b=c&d=/.."),
        ("http://example.com?q=1", "http://example.com/?q=1"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://bücher.example/grün", "http://xn--bcher-kva.example/gr%C3%BCn"),
        ("http://example.com/%41", "http://example.com/%41"),
        ("http://my_host-1/", "http://my_host-1/"),
        ("http://example.com/...", "http://example.com/..."),
    ],
)
def test_a_url_is_sent_as_it_was_checked(url, sent):
    assert target_of(url).url == sent
    assert target_of(sent).url == sent


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "/path",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://@example.com/",
        "http://example.com@evil.example/",
        "http://example.com\\@evil.example/",
        "http://example.com\\evil",
        "http://example.com/\r\nHost: evil",
        "http://example.com/a\nb",
        "http://exam\tple.com/",
        "http://example.com/\x00",
        "http://example.com/\x7f",
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com:99999/",
        "http://example.com:-1/",
        "http://example.com:x/",
        "http://[::1/",
        "http://[::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[nonsense]/",
        "http://exa%6dple.com/",
        "http://a..b/",
        "http://" + "a" * 64 + ".example/",
        "http://-x/",
        "http://*/",
        "http://example.com/../admin",
        "http://example.com/v1/..",
        "http://example.com/v1/./x",
        "http://example.com/v1/%2e%2e/admin",
        "http://example.com/v1/%2E./admin",
        "http://example.com/v1/..%2fadmin",
        "http://example.com/v1/..%5cadmin",
        "http://example.com/v1/..;/admin",
        "http://example.com/\udcff",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_a_url_that_can_be_misread_is_refused(url):
    with pytest.raises(InvalidArgument) as error:
        target_of(url)
    assert error.value.details == {"field": "url"}
    assert error.value.message.isprintable()
    assert len(error.value.message) < 500


@given(st.text() | st.from_regex(r"\A(https?://)?[a-z0-9@:/?#\[\]%\\.\s-]{0,40}\Z"))
def test_any_text_is_a_target_or_an_invalid_argument(text):
    try:
        target = target_of(text)
    except InvalidArgument:
        return
    assert target_of(target.url) == target
    assert target.url.isascii()


ALLOWED = [
    ("https://api.example.com/", "https://api.example.com/"),
    ("https://api.example.com/", "https://api.example.com/v1/x?y=z"),
    ("https://api.example.com", "https://api.example.com/v1"),
    ("https://API.example.com/", "https://api.EXAMPLE.com/"),
    ("https://api.example.com/v1/", "https://api.example.com/v1/x"),
    ("https://api.example.com/v1", "https://api.example.com/v1"),
    ("https://api.example.com/v1", "https://api.example.com/v1/x"),
    ("https://api.example.com/v*", "https://api.example.com/v10"),
    ("https://api.example.com:8443/", "https://api.example.com:8443/"),
    ("https://api.example.com:*/", "https://api.example.com:8443/"),
    ("https://api.example.com:443/", "https://api.example.com/"),
    ("http://127.0.0.1:*/", "http://127.0.0.1:8080/x"),
    ("http://127.0.0.1:*/*", "http://127.0.0.1:8080/x"),
    ("http://[::1]:*/", "http://[::1]:8080/x"),
    ("https://*.example.com/", "https://a.b.example.com/"),
    ("http://*/", "http://anything/"),
    ("*", "https://anything.example:1234/x"),
]

NOT_ALLOWED = [
    ("https://api.example.com/", "http://api.example.com/"),
    ("https://api.example.com/", "https://api.example.com:8443/"),
    ("https://api.example.com/", "https://api.example.com.evil.example/"),
    ("https://api.example.com", "https://api.example.com.evil.example/"),
    ("https://api.example.com/", "https://evil.example/https://api.example.com/"),
    ("https://api.example.com/", "https://apixexample.com/"),
    ("https://api.example.com/v1/", "https://api.example.com/v2/"),
    ("https://api.example.com/v1/", "https://api.example.com/v1"),
    ("https://api.example.com/v1", "https://api.example.com/v10"),
    ("https://*.example.com/", "https://example.com/"),
    ("https://*.example.com/", "https://evilexample.com/"),
    ("http://127.0.0.1:*/", "http://127.0.0.2:80/"),
    ("http://*/", "http://anything:8080/"),
    ("api.example.com", "https://api.example.com/"),
    ("https://user@api.example.com/", "https://api.example.com/"),
    ("https://api.example.com/?x=", "https://api.example.com/?x=1"),
    ("ftp://api.example.com/", "https://api.example.com/"),
    ("**", "https://api.example.com/"),
    ("", "https://api.example.com/"),
]


@pytest.mark.parametrize(("pattern", "url"), ALLOWED)
def test_s_7_5_1_a_pattern_allows(pattern, url):
    assert matching(target_of(url), [pattern])


@pytest.mark.parametrize(("pattern", "url"), NOT_ALLOWED)
def test_s_7_5_1_a_pattern_does_not_allow(pattern, url):
    assert not matching(target_of(url), [pattern])


PUBLIC, LAN, SELF, METADATA = "93.184.215.14", "192.168.1.4", "127.0.0.1", "169.254.169.254"


@pytest.mark.parametrize(
    ("pattern", "url", "addresses", "refused"),
    [
        ("*", "http://a.example/", [PUBLIC], None),
        ("http://a.example/", "http://a.example/", [PUBLIC], None),
        ("*", "http://a.example/", [LAN], LAN),
        ("http://*/", "http://nas/", [LAN], LAN),
        ("http://na*/", "http://nas/", [LAN], LAN),
        ("http://nas/", "http://nas/", [LAN], None),
        ("http://nas:*/*", "http://nas/", [LAN], None),
        ("http://192.168.1.4/", "http://192.168.1.4/", [LAN], None),
        ("http://192.168.1.*/", "http://192.168.1.4/", [LAN], LAN),
        ("*", "http://127.0.0.1/", [SELF], SELF),
        ("http://127.0.0.1/", "http://127.0.0.1/", [SELF], None),
        ("http://localhost/", "http://localhost/", [SELF, "::1"], None),
        ("http://a.example/", "http://a.example/", [SELF], SELF),
        ("http://a.example/", "http://a.example/", ["::ffff:127.0.0.1"], "::ffff:127.0.0.1"),
        ("http://a.example/", "http://a.example/", [METADATA], METADATA),
        ("http://2130706433/", "http://2130706433/", [SELF], SELF),
        ("*", "http://a.example/", [PUBLIC, SELF], SELF),
        ("*", "http://[::ffff:7f00:1]/", ["::ffff:127.0.0.1"], "::ffff:127.0.0.1"),
    ],
)
def test_an_address_is_admitted_only_as_far_as_the_pattern_reaches(
    pattern, url, addresses, refused
):
    target = target_of(url)
    patterns = matching(target, [pattern])
    assert patterns
    assert forbidden(target, patterns, addresses) == refused


def test_one_pattern_of_several_may_admit_an_address():
    target = target_of("http://nas/x")
    patterns = matching(target, ["*", "http://nas/", "http://other/"])
    assert len(patterns) == 2
    assert forbidden(target, patterns, [LAN]) is None


@given(st.text())
def test_any_text_may_stand_in_a_permission(text):
    Pattern.parse(text)
