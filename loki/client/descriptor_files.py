"""Asks a server by reflection for the files that define its services."""

from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from loki.client.reflection import (
    METHODS,
    Request,
    Response,
    conversation,
    listing,
    older,
    question,
    services_of,
)

Choice = Callable[[list[str]], Iterable[str]]
"""Gets the full names of all services, returns those whose files are wanted."""

Report = Callable[[int, int], None]
"""Is told how many are done, and of how many."""


def read_files(
    channel: grpc.Channel, choose: Choice, timeout_s: float | None, report: Report | None = None
) -> dict[str, FileDescriptorProto]:
    """By name: the files of the chosen services, and all that they import; as of one moment.

    `report` is told of each service whose file has come.

    Raises: grpc.RpcError; ValueError for answers that are none.
    """
    path = METHODS[0]
    while True:
        try:
            return _read(Conversation(channel, path, timeout_s), choose, report)
        except grpc.RpcError as error:
            if (next_path := older(path, error.code())) is None:
                raise
            path = next_path


class Conversation:
    """One stream of questions and answers."""

    def __init__(self, channel: grpc.Channel, path: str, timeout_s: float | None) -> None:
        self._questions: SimpleQueue[Request | None] = SimpleQueue()
        questions = iter(self._questions.get, None)
        self._call: Any = conversation(channel, path)(questions, timeout=timeout_s)

    def ask(self, questions: Iterable[Request]) -> Iterator[Response]:
        """All at once; answers come in the same order. Raises: grpc.RpcError; ValueError."""
        count = 0
        for count, each in enumerate(questions, 1):  # noqa: B007  # It is used below.
            self._questions.put(each)
        for _ in range(count):
            answer = next(self._call, None)
            if answer is None:
                raise ValueError("the server ended reflection without an answer")
            yield answer

    def close(self) -> None:
        self._questions.put(None)
        self._call.cancel()


def _read(
    talk: Conversation, choose: Choice, report: Report | None
) -> dict[str, FileDescriptorProto]:
    try:
        (answer,) = talk.ask([listing()])
        wanted = tuple(choose(services_of(answer)))
        files = _files(_reported(talk.ask(map(question, wanted)), len(wanted), report))
        while missing := _missing(files):  # A server may send a file without its imports.
            more = _files(talk.ask(Request(file_by_filename=name) for name in missing))
            if not more.keys() & missing:
                raise ValueError(f"the server does not have its own {', '.join(sorted(missing))}")
            files |= more
        return files
    finally:
        talk.close()


def _reported(answers: Iterable[Response], total: int, report: Report | None) -> Iterator[Response]:
    for done, answer in enumerate(answers, 1):
        if report is not None:
            report(done, total)
        yield answer


def _files(answers: Iterable[Response]) -> dict[str, FileDescriptorProto]:
    """Raises: ValueError."""
    files = {}
    for answer in answers:
        if answer.HasField("error_response"):
            raise ValueError(f"reflection: {answer.error_response.error_message}")
        for content in answer.file_descriptor_response.file_descriptor_proto:
            file = FileDescriptorProto.FromString(content)
            files[file.name] = file
    return files


def _missing(files: dict[str, FileDescriptorProto]) -> set[str]:
    return {name for file in files.values() for name in file.dependency} - files.keys()
