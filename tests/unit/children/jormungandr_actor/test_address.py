"""Where an address leads, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jormungandr_actor.address import Reach, reach


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("93.184.215.14", Reach.PUBLIC),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", Reach.PUBLIC),
        ("::ffff:93.184.215.14", Reach.PUBLIC),
        ("64:ff9b::93.184.215.14", Reach.PUBLIC),
        ("2002:5db8:d70e::1", Reach.PUBLIC),  # 6to4 of 93.184.215.14
        ("10.1.2.3", Reach.LOCAL),
        ("172.16.0.1", Reach.LOCAL),
        ("172.31.255.255", Reach.LOCAL),
        ("172.32.0.1", Reach.PUBLIC),
        ("192.168.1.1", Reach.LOCAL),
        ("100.64.0.1", Reach.LOCAL),
        ("fd12:3456::1", Reach.LOCAL),
        ("::ffff:10.1.2.3", Reach.LOCAL),
        ("64:ff9b::10.1.2.3", Reach.LOCAL),
        ("2002:c0a8:0101::1", Reach.LOCAL),  # 6to4 of 192.168.1.1
        ("127.0.0.1", Reach.SPECIAL),
        ("127.255.0.1", Reach.SPECIAL),
        ("::1", Reach.SPECIAL),
        ("::ffff:127.0.0.1", Reach.SPECIAL),
        ("::127.0.0.1", Reach.SPECIAL),
        ("64:ff9b::127.0.0.1", Reach.SPECIAL),
        ("64:ff9b:1::127.0.0.1", Reach.SPECIAL),
        ("2002:7f00:1::", Reach.SPECIAL),  # 6to4 of 127.0.0.1
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Reach.SPECIAL),  # Teredo
        ("169.254.169.254", Reach.SPECIAL),
        ("::ffff:169.254.169.254", Reach.SPECIAL),
        ("fe80::1", Reach.SPECIAL),
        ("fe80::1%eth0", Reach.SPECIAL),
        ("fec0::1", Reach.SPECIAL),
        ("0.0.0.0", Reach.SPECIAL),
        ("::", Reach.SPECIAL),
        ("255.255.255.255", Reach.SPECIAL),
        ("224.0.0.251", Reach.SPECIAL),
        ("ff02::fb", Reach.SPECIAL),
        ("240.0.0.1", Reach.SPECIAL),
        ("192.0.2.1", Reach.SPECIAL),
        ("2001:db8::1", Reach.SPECIAL),
    ],
)
def test_an_address_leads_where_it_leads(address, where):
    assert reach(address) is where


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_changes_nothing(inner):
    number = int(inner)
    plain = reach(str(inner))
    assert reach(f"::ffff:{inner}") is plain
    assert reach(f"64:ff9b::{inner}") is plain
    assert reach(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1") is plain


def test_what_is_no_address_is_an_error():
    with pytest.raises(ValueError, match="does not appear"):
        reach("localhost")
