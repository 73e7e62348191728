"""YAML as people write it: every value with its line, doubled keys and broken syntax refused with a place."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tests.house.files import ROOT
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.yaml_text import Document, _parsed, _Quick, parse_yaml, validate


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "x.yaml")
    assert [str(problem) for problem in caught.value.problems] == str(caught.value).split("\n")
    return str(caught.value).split("\n")


def test_every_key_and_item_knows_its_line() -> None:
    document = parse_yaml("a: 1\nb:\n  - x\n  - c: 2\n    d: {e: 3,\n      f: 4}\n", "x.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": 2, "d": {"e": 3, "f": 4}}]}
    lines = {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 5, ("b", 1, "d", "f"): 6}
    assert {path: document.line(path) for path in lines} == lines


def test_a_path_that_is_not_in_the_text_has_the_line_of_what_encloses_it() -> None:
    document = parse_yaml("a:\n  b:\n    c: 1\n", "x.yaml")
    assert document.line(("a", "b", "missing")) == 2
    assert document.line(("missing",)) == 1
    assert document.line(("a", "tag of a union", "b", "c")) == 3, "parts that are no keys are passed over"


def test_a_part_keeps_the_lines_of_the_whole() -> None:
    part = parse_yaml("sources:\n  - name: a\n    options:\n      path: x\n      y: [1,\n        2]\n", "x.yaml").at(
        "sources", 0, "options"
    )
    assert part.data == {"path": "x", "y": [1, 2]}
    assert (part.line(("path",)), part.line(("y", 1)), part.line(()), part.file) == (4, 6, 3, "x.yaml")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_document_is_nothing_and_no_error(text: str) -> None:
    assert parse_yaml(text, "x.yaml").data is None


def test_all_doubled_keys_are_told_at_once_with_both_lines() -> None:
    assert refused("a: 1\nb: {c: 1,\n  c: 2}\nd:\n  - e: 1\n    e: 2\n    e: 3\na: 2\n") == [
        "x.yaml:3: key 'c' stands already on line 2; remove one of the two",
        "x.yaml:6: key 'e' stands already on line 5; remove one of the two",
        "x.yaml:7: key 'e' stands already on line 6; remove one of the two",
        "x.yaml:8: key 'a' stands already on line 1; remove one of the two",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: [1, 2\n", "x.yaml:3: "),
        ("a: 1\n  b: 2\n", "x.yaml:2: "),
        ("a:\n\t- 1\n", "x.yaml:2: "),
        ('a: "open\n', "x.yaml:2: "),
        ("a: *nobody\n", "x.yaml:1: "),
        ("a: !!python/object/apply:os.system ['true']\n", "x.yaml:1: "),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: "),
        ("? [1, 2]\n: x\n", "x.yaml:1: "),
        ("a: 2026-02-31\n", "x.yaml"),
        ("a: 1\nb: \x01\n", "x.yaml:2: "),
        ("a: &self [*self]\n", "x.yaml:1: "),
        ("a: 1\nb: &self\n  c: *self\n", "x.yaml:3: "),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_yaml_is_refused_at_its_line(text: str, place: str) -> None:
    lines = refused(text)
    assert lines[0].startswith(place)
    assert "not valid YAML" in lines[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a: 1\nb: [1, 2\n",
            "x.yaml:3: not valid YAML: expected ',' or ']', but got '<stream end>'; correct the syntax",
        ),
        ("\na: \x01\n", "x.yaml:2: not valid YAML: unacceptable character #x0001: special characters are not allowed;"),
    ],
)
def test_what_the_parser_missed_is_told(text: str, told: str) -> None:
    assert refused(text)[0].startswith(told)


def test_an_anchor_used_twice_is_fine() -> None:
    assert parse_yaml("a: &hours [1]\nb: *hours\nc: *hours\n", "x.yaml").data == {"a": [1], "b": [1], "c": [1]}


QUIRKS = """
base: &base {a: 1, b: [x, 'y: z', "\\t"]}
merged: {<<: *base, a: 2}
folded: >-
  one
  two
empty:
? complex
: {on: yes, at: 2026-10-05 08:00:00+07:00, day: 2026-10-05, hex: 0x1F, octal: 017, hour: 12:30}
url: http://a.b/c?d=e#f
"""
SHIPPED = sorted(path for folder in ("rules", "examples", "tthc_monitor") for path in (ROOT / folder).rglob("*.y*ml"))


@pytest.mark.parametrize("text", [QUIRKS, *(path.read_text("utf-8") for path in SHIPPED)])
def test_both_parsers_read_the_same(text: str) -> None:
    """What is right is read by libyaml, what is wrong is told by PyYAML's own parser; they must not disagree."""
    quick, plain = (_parsed(text, "x.yaml", kind) for kind in (_Quick, yaml.SafeLoader))
    assert quick.data == plain.data == yaml.safe_load(text)
    assert quick.lines == plain.lines and len(quick.lines) > 5


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_values_nested_without_end_do_not_end_the_process(text: str) -> None:
    with pytest.raises(RecursionError):
        _parsed(text, "x.yaml", _Quick)


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["leaf"]
    size: Annotated[int, Field(gt=0)]


class Stone(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["stone"]


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    things: list[Annotated[Leaf | Stone, Field(discriminator="kind")]] = []


def test_a_right_document_becomes_its_model() -> None:
    tree = validate(Tree, parse_yaml("name: x\nthings:\n  - {kind: leaf, size: 2}\n  - {kind: stone}\n", "x.yaml"))
    assert tree == Tree(name="x", things=[Leaf(kind="leaf", size=2), Stone(kind="stone")])


def test_every_problem_is_told_at_once_each_at_its_line() -> None:
    text = "nam: x\nthings:\n  - kind: leaf\n    size: 0\n    colour: green\n  - kind: bird\n  - kind: stone\n    size: 1\n"
    with pytest.raises(ConfigError) as caught:
        validate(Tree, parse_yaml(text, "x.yaml"))
    lines = sorted(str(caught.value).split("\n"))
    assert len(lines) == 6
    assert lines[0] == "x.yaml:1: key 'name' is missing; add it"
    assert lines[1] == "x.yaml:1: unknown key 'nam'; remove it or correct its spelling"
    assert lines[2].startswith("x.yaml:4: ") and "greater than 0" in lines[2]
    assert lines[3].startswith("x.yaml:5: unknown key") and "colour" in lines[3]
    assert lines[4].startswith("x.yaml:6: ") and "'leaf', 'stone'" in lines[4]
    assert lines[5].startswith("x.yaml:8: unknown key") and "size" in lines[5]


class Sizes(BaseModel):
    some: Annotated[list[int], Field(min_length=2)]
    more: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)

    @model_validator(mode="after")
    def _in_order(self) -> Sizes:
        if self.some != sorted(self.some):
            raise ValueError("sizes are not in order; sort them")
        return self


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # A list is not called too short for its wrong items; one that is too short by itself is, whatever else is wrong.
        ("some: [x, 1]\n", ["1: 'some.0': Input should be a valid integer"]),
        ("some: [1]\nmore: [x]\n", ["1: 'some': List should have at least 2 items", "2: 'more.0': Input should be"]),
        ("some: [1, 2]\nmore: [x, y]\n", ["2: 'more.0': Input should be", "2: 'more.1': Input should be"]),
        ("some: [1, x]\nmore: []\n", ["1: 'some.1': Input should be", "2: 'more': Tuple should have at least 1 item"]),
        ("some: [2, 1]\n", ["1: sizes are not in order; sort them"]),
    ],
)
def test_a_problem_is_told_once_with_its_place(text: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Sizes, parse_yaml(text, "x.yaml"))
    lines = sorted(str(caught.value).split("\n"))
    assert [line.startswith(f"x.yaml:{one}") for line, one in zip(lines, told, strict=True)] == [True] * len(told)


def test_an_empty_document_lacks_what_is_required() -> None:
    with pytest.raises(ConfigError, match="key 'name' is missing"):
        validate(Tree, parse_yaml("", "x.yaml"))


@pytest.mark.parametrize("text", ["- 1\n", "just words\n", "1: x\nname: y\n", "name: [x]\n"])
def test_a_document_of_another_shape_is_refused_and_not_a_crash(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.yaml:1: "):
        validate(Tree, parse_yaml(text, "x.yaml"))


def test_a_document_made_without_text_has_no_lines() -> None:
    assert Document("(none)", {}, {}).line(("a",)) is None
