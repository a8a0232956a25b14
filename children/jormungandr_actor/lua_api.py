"""What scripts see of Jörmungandr, as data."""

from loki.child import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)

_URL = LuaParameter(name="url", type=LuaType.STRING, doc="http:// or https://, without a user")
_BODY = LuaParameter(name="body", type=LuaType.BYTES, doc="What to send")


def _http(method: str, doc: str, *parameters: LuaParameter) -> LuaFunction:
    return LuaFunction(
        name=f"http_{method}",
        request=f"Http{method.capitalize()}",
        parameters=parameters,
        returns=LuaType.BYTES,
        permission="http",
        doc=f"{doc} Gives the body of the answer; a status of 400 or above is an error with "
        "`status`. Follows redirects that the permission allows as well.",
    )


MODULE = LuaModule(
    name="jormungandr",
    child="jormungandr",
    doc="The network: HTTP.",
    functions=(
        _http("get", "Fetches a URL.", _URL),
        _http("post", "Sends a body to a URL.", _URL, _BODY),
        _http("put", "Stores a body at a URL.", _URL, _BODY),
        _http("delete", "Deletes what is at a URL.", _URL),
    ),
    permissions=(
        PermissionKey(
            name="http",
            shape=PermissionShape.LIST,
            doc='URLs and what lies below them, such as ["https://api.example.com/v1/"]. `*` '
            "stands for any port, or for a part of the host. Hosts in the local network must be "
            "named without `*`; this device itself as localhost or by its address.",
        ),
    ),
)
