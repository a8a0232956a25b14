"""The peer: a bare grpc.aio server that gives back what it gets. Prints its port."""

import asyncio

import grpc


async def echo(request: bytes, _context: grpc.aio.ServicerContext) -> bytes:
    return request


class Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != "/echo/Echo":
            return None
        return grpc.unary_unary_rpc_method_handler(echo)


async def serve() -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
