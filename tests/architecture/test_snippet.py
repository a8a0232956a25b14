"""What counts as the same output, and what does not."""

from pathlib import Path

import pytest
from snippet import agrees, blocks

DOCUMENT = """Text.

```console
$ one \\
    two
shown
$ three
```

```toml a.toml
x = 1
```

```
no language
```
"""


def test_the_blocks_of_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(DOCUMENT)
    console, toml = blocks(path)
    assert (console.place, toml.place) == ("a.md:3", "a.md:10")
    assert [(c.line, c.shown) for c in console.commands()] == [
        ("one \\\n    two", ["shown"]),
        ("three", []),
    ]
    assert (toml.language, toml.file, toml.text) == ("toml", "a.toml", "x = 1\n")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["at 127.0.0.1:50070 (Ctrl-C)"], "at 127.0.0.1:4711 (Ctrl-C)\n"),
        (["3.6 ms wall · 6 KiB memory"], "12.25 ms wall · 0 KiB memory\n"),
        (['"t": 27.1,'], '"t": -0.5e-07,\n'),
        (["state     …/x/.loki"], "state /tmp/a b/x/.loki\n"),
        (["a    b", "", "c"], "\n a b  \nc\n"),
        (["{", "…"], "{\n1\n2\n}\n"),
        (["{", "…", "}"], "{\n}\n"),
        ([], "\n"),
    ],
)
def test_what_differs_from_run_to_run_may_differ(shown: list[str], printed: str) -> None:
    assert agrees(printed, shown)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["100 ms"], "200 ms\n"),
        (["8 tools"], "9 tools\n"),
        (["hello, Ada"], "hello, ada\n"),
        (["hello"], "hello\nand more\n"),
        (["hello", "and more"], "hello\n"),
        (["hello"], ""),
        ([], "hello\n"),
        (["1.5 ms"], "fast ms\n"),
        (["a.b"], "axb\n"),
        (["127.0.0.1:1"], "127.0.0.1:x\n"),
        (["192.168.0.1:1"], "192.168.0.1:2\n"),
    ],
)
def test_nothing_else_may(shown: list[str], printed: str) -> None:
    assert not agrees(printed, shown)
