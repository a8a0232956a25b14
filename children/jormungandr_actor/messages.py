"""Scripts and Jörmungandr about HTTP."""

from loki.messages.envelope import Message, Request


class HttpBody(Message):
    """The body of an answer with a status below 400."""

    body: str | bytes  # Text when it is valid UTF-8.


class HttpGet(Request[HttpBody]):
    """Script -> Jörmungandr: fetch. Reply: HttpBody."""

    url: str


class HttpPost(Request[HttpBody]):
    """Script -> Jörmungandr: send a body. Reply: HttpBody."""

    url: str
    body: str | bytes


class HttpPut(Request[HttpBody]):
    """Script -> Jörmungandr: store a body there. Reply: HttpBody."""

    url: str
    body: str | bytes


class HttpDelete(Request[HttpBody]):
    """Script -> Jörmungandr: remove what is there. Reply: HttpBody."""

    url: str
