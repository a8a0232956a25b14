"""Generates `loki/v1` from the .proto files here; with --check it only tells what is stale.

Run from anywhere: `python proto/generate.py [--check]`. Exit code 1 means stale.
"""

import filecmp
import importlib.resources
import shutil
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet, SourceCodeInfo
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
PACKAGE = Path("loki/v1")
COMMITTED = PROTO.parent / PACKAGE
IMAGE = "image.binpb"
"""The descriptors with their comments, which generated Python does not keep: for reflection."""
INIT = '"""The public API, generated from proto/loki/v1 by proto/generate.py."""\n'


def generate(target: Path) -> None:
    """Write the whole package `loki/v1` below `target`. Only services get a `_pb2_grpc` module."""
    sources = sorted(PROTO.glob("loki/v1/*.proto"))
    services = [path for path in sources if "\nservice " in path.read_text()]
    compile_protos(sources, f"--python_out={target}", f"--pyi_out={target}")
    compile_protos(services, f"--grpc_python_out={target}")
    target.joinpath(PACKAGE, "__init__.py").write_text(INIT)
    image = target / PACKAGE / IMAGE
    compile_protos(sources, "--include_source_info", f"--descriptor_set_out={image}")
    image.write_bytes(with_comments_only(image.read_bytes()))


def with_comments_only(image: bytes) -> bytes:
    """Without the places of what has no comment, which are most of it."""
    files = FileDescriptorSet.FromString(image)
    for file in files.file:
        locations = [each for each in file.source_code_info.location if has_comment(each)]
        del file.source_code_info.location[:]
        file.source_code_info.location.extend(locations)
    return files.SerializeToString(deterministic=True)


def has_comment(location: SourceCodeInfo.Location) -> bool:
    return bool(
        location.leading_comments
        or location.trailing_comments
        or location.leading_detached_comments
    )


def compile_protos(sources: list[Path], *outputs: str) -> None:
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", *outputs, *map(str, sources)]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")


def stale(fresh: Path) -> list[str]:
    """Names of committed files that differ, are missing, or have no .proto any more."""
    folders, patterns = (fresh, COMMITTED), ("*.py*", IMAGE)
    names = {path.name for f in folders for pattern in patterns for path in f.glob(pattern)}
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
