"""The lock file of the Node.js client suits any registry."""

import json
from pathlib import Path

NODE = Path(__file__).parents[1] / "e2e/node"


def test_the_lock_names_no_registry_but_every_content() -> None:
    packages = json.loads((NODE / "package-lock.json").read_text())["packages"]
    fetched = {name: entry for name, entry in packages.items() if name}
    assert fetched
    assert not [name for name, entry in fetched.items() if "resolved" in entry]
    assert not [name for name, entry in fetched.items() if "integrity" not in entry]


def test_set_up_leaves_the_lock_as_it_is() -> None:
    makefile = (NODE.parents[2] / "Makefile").read_text()
    assert "npm ci" in makefile
    assert "npm install" not in makefile
