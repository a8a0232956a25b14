"""Scripts and Jörmungandr about HTTP.

Bodies travel as Packed text or bytes, as the script gave them.
"""

from loki.messages.envelope import Message, Request
from loki.messages.value import Packed


class HttpBody(Message):
    """The body of an answer with a status below 400."""

    body: Packed  # Text where it is valid UTF-8, else bytes.


class HttpGet(Request[HttpBody]):
    """Script -> Jörmungandr: fetch. Reply: HttpBody."""

    url: str


class HttpPost(Request[HttpBody]):
    """Script -> Jörmungandr: send a body. Reply: HttpBody."""

    url: str
    body: Packed  # Text or bytes.


class HttpPut(Request[HttpBody]):
    """Script -> Jörmungandr: store a body there. Reply: HttpBody."""

    url: str
    body: Packed  # Text or bytes.


class HttpDelete(Request[HttpBody]):
    """Script -> Jörmungandr: remove what is there. Reply: HttpBody."""

    url: str
