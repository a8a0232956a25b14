"""Generates `loki/v1` from the .proto files here; with --check it only tells what is stale.

Run from anywhere: `python proto/generate.py [--check]`. Exit code 1 means stale.
"""

import filecmp
import importlib.resources
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
PACKAGE = Path("loki/v1")
COMMITTED = PROTO.parent / PACKAGE
INIT = '"""The public API, generated from proto/loki/v1 by proto/generate.py."""\n'


def generate(target: Path) -> None:
    """Write the whole package `loki/v1` below `target`. Only services get a `_pb2_grpc` module."""
    sources = sorted(PROTO.glob("loki/v1/*.proto"))
    services = [path for path in sources if "\nservice " in path.read_text()]
    compile_protos(sources, f"--python_out={target}", f"--pyi_out={target}")
    compile_protos(services, f"--grpc_python_out={target}")
    target.joinpath(PACKAGE, "__init__.py").write_text(INIT)


def compile_protos(sources: list[Path], *outputs: str) -> None:
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", *outputs, *map(str, sources)]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")


def stale(fresh: Path) -> list[str]:
    """Names of committed files that differ, are missing, or have no .proto any more."""
    names = {path.name for folder in (fresh, COMMITTED) for path in folder.glob("*.py*")}
    _, differing, missing = filecmp.cmpfiles(fresh, COMMITTED, sorted(names), shallow=False)
    return sorted(differing + missing)


def replace(fresh: Path) -> None:
    shutil.rmtree(COMMITTED, ignore_errors=True)
    shutil.copytree(fresh, COMMITTED)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = Path(folder) / PACKAGE
        if sys.argv[1:] != ["--check"]:
            replace(fresh)
        names = stale(fresh)
    if names:
        sys.stderr.write(f"stale in {PACKAGE}: {', '.join(names)}; run `make proto`\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
