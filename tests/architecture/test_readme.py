"""The documents run from top to bottom, as a reader would follow them.

Each command and each program is run against a Loki that the document itself started, on a free
port; what is printed is compared with what is shown. No plug-in does both: own code is shorter
than its settings would be (see `snippet`).
"""

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from snippet import Block, Command, agrees, blocks

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    document
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"))
    if blocks(document)
]
NODE_PROGRAMS = ROOT / "tests/e2e/node/node_modules/.bin"
DEFAULT_ADDRESS = "127.0.0.1:50070"
DEFAULT_HTTP = "http://127.0.0.1:50071"
COMMAND_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
RECIPE = re.compile(r"^(\w+):.*\n((?:\t.*\n)+)", re.MULTILINE)


class Reader:
    """Follows one document in a folder that looks like the project's."""

    def __init__(self, folder: Path, need: Callable[..., None]) -> None:
        self.folder = folder
        self.address = ""
        self.http = ""
        self._need = need
        self._served: list[subprocess.Popen[bytes]] = []
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "examples").symlink_to(ROOT / "examples")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
        self._environment = inherited | {
            "LOKI_GRPC_PORT": "0",
            "LOKI_STATE_DIR": str(folder / "state" / "examples" / ".loki"),
            "PATH": f"{NODE_PROGRAMS}:{os.environ['PATH']}",
        }

    def follow(self, block: Block) -> None:
        if block.file:
            (self.folder / block.file).write_text(block.text)
        match block.language:
            case "console":
                for command in block.commands():
                    self._run(block, command)
            case "python":
                self._program(block)
            case "toml":
                self._check(block)
            case "lua" | "text" | "proto":
                assert block.file or block.language != "lua", f"{block.place}: name its file"
            case _:
                pytest.fail(f"{block.place}: nobody knows how to try {block.language}")

    def _run(self, block: Block, command: Command) -> None:
        line = self._as_typed(command.line)
        if "loki serve" in line:
            printed = self._serve(line, command.shown)
        else:
            printed = self._output_of("bash", "-c", line)
        printed = printed.replace(f" --server {self.address}", "")
        assert agrees(printed, command.shown), f"{block.place}: {command.line}\n{printed}"

    def _as_typed(self, line: str) -> str:
        """`make x` is the recipe that the Makefile has for x: what it installs is here already."""
        words = shlex.split(line.replace("\\\n", " "))
        if words[0] == "make":
            return recipes()[words[1]]
        if words[0] == "buf":
            self._need("node", "run `make node`", here=(NODE_PROGRAMS / "buf").exists())
        line = line.replace("--http-port 50071", "--http-port 0")
        return line.replace(DEFAULT_ADDRESS, self.address).replace(DEFAULT_HTTP, self.http)

    def _serve(self, line: str, shown: list[str]) -> str:
        """Leave it running; what it printed so far is as much as is shown."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._served.append(process)
        assert process.stdout is not None
        end_s = time.monotonic() + COMMAND_TIMEOUT_S
        printed = b""
        while printed.count(b"\n") < len(shown):
            left_s = max(0.0, end_s - time.monotonic())
            ready = select.select([process.stdout], [], [], left_s)[0]
            more = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not more:
                break
            printed += more
        address = re.search(r"127\.0\.0\.1:\d+", printed.decode())
        self.address = address[0] if address else ""
        http = re.search(r"http://127\.0\.0\.1:\d+", printed.decode())
        self.http = http[0] if http else ""
        self._environment["LOKI_SERVER"] = self.address
        return printed.decode()

    def _output_of(self, *command: str) -> str:
        """What a reader sees, errors too."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return done.stdout

    def _program(self, block: Block) -> None:
        """Prints what the comments behind its prints say."""
        shown = re.findall(r"print\(.*\)  # (.*)", block.text)
        printed = self._output_of(
            sys.executable, "-c", block.text.replace(DEFAULT_ADDRESS, self.address)
        )
        assert agrees(printed, shown), f"{block.place}:\n{printed}"

    def _check(self, block: Block) -> None:
        """A tool file, or settings."""
        path = self.folder / (block.file or "snippet.toml")
        path.write_text(block.text)
        words = [] if "[[tools]]" in block.text else ["--config"]
        printed = self._output_of(sys.executable, "-m", "loki", "check", *words, str(path))
        assert printed == "no problems\n", f"{block.place}:\n{printed}"

    def close(self) -> list[int]:
        """Ctrl-C for all that serves; their exit codes."""
        codes = []
        for process in self._served:
            process.send_signal(signal.SIGINT)
            try:
                codes.append(process.wait(STOP_TIMEOUT_S))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(process.wait())
            assert process.stdout is not None
            process.stdout.close()
        return codes


def recipes() -> dict[str, str]:
    """Target of the Makefile -> its commands."""
    text = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    return {
        found[1]: found[2].replace("\t", "").strip().replace("\n", " && ")
        for found in RECIPE.finditer(text)
    }


@pytest.fixture
def reader(tmp_path: Path, need: Callable[..., None]) -> Iterator[Reader]:
    made = Reader(tmp_path, need)
    codes: list[int] = []
    try:
        yield made
    finally:
        codes = made.close()
    assert not any(codes)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_s_13_1_1_a_document_runs_from_top_to_bottom(document: Path, reader: Reader) -> None:
    for block in blocks(document):
        reader.follow(block)


def test_s_13_1_1_the_readme_shows_how_to_run_write_and_call() -> None:
    languages = [block.language for block in blocks(ROOT / "README.md")]
    assert {"console", "toml", "lua", "python"} <= set(languages)
    assert ROOT / "README.md" in DOCUMENTS
