"""The peer: a bare grpc.aio server that gives back what it gets, once or often. Prints its port."""

import asyncio
from collections.abc import AsyncIterator

import grpc


async def echo(request: bytes, _context: grpc.aio.ServicerContext) -> bytes:
    return request


async def repeat(request: bytes, _context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    """The request's own bytes, so many times as its first four say."""
    for _ in range(int.from_bytes(request[:4], "big")):
        yield request


METHODS = {
    "/echo/Echo": grpc.unary_unary_rpc_method_handler(echo),
    "/echo/Repeat": grpc.unary_stream_rpc_method_handler(repeat),
}


class Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return METHODS.get(details.method)


async def serve() -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
