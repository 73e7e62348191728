"""The kit for plug-ins: a sound connector passes, and each broken promise is found by the test that is meant for it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from connectors.base import Connector, ConnectorOptions, Cursor, Page, Received, Surroundings
from connectors.testing import Conformance, surroundings
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError
from tthc_monitor.domain.records import Batch, Reject, conform

NOON = datetime(2026, 9, 21, 5, tzinfo=UTC)
KEYS = ("a", "b", "c")
PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"


class Sound:
    """Gives three dossiers, one a page, from wherever the cursor stands; can look, and can be sent to."""

    class Options(ConnectorOptions):
        token: str = "geheim-77"

    provides: frozenset[str] = frozenset({"source_key", "kind", "status", "received_at"})

    def __init__(self, name: str, options: Any, around: Surroundings) -> None:
        self.name = name

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        first = 0 if cursor is None else cursor["next"]
        for number in range(first, len(KEYS)):
            yield Page([KEYS[number]], "made up", {"next": number + 1}, listed_all=number == len(KEYS) - 1)

    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        yield Page([key for key in keys if key in KEYS], "made up")

    def receive(self, body: bytes) -> Received:
        raise PermanentSourceError("this is no message; send what the interface describes")

    def refusal(self, reason: str) -> Any:
        return {"error": reason}

    def row(self, key: str) -> dict[str, Any]:
        return {"source_key": key, "kind": "dossier", "status": 4, "received_at": NOON}

    def normalise(self, page: Page) -> Batch:
        records = conform(pl.DataFrame([self.row(key) for key in page.content]))
        return Batch(records, (Reject("made up", 4, None, "no number; write one"),), records.height + 1)

    def check(self) -> list[str]:
        return ["all is well"]


def kit(cls: type[Any], broken: Sequence[type[Any]] = ()) -> Conformance:
    class Kit(Conformance):
        poison: ClassVar[Sequence[str]] = ("Nguyễn Văn Mẫu",)
        secrets: ClassVar[Sequence[str]] = ("geheim-77",)

        def connector(self) -> Connector:
            return cls("mau", cls.Options(), surroundings())  # type: ignore[no-any-return]

        def broken(self) -> list[Connector]:
            return [each("mau", each.Options(), surroundings()) for each in broken]

    return Kit()


TESTS = [name for name in dir(Conformance) if name.startswith("test_")]


@pytest.mark.parametrize("name", TESTS)
def test_a_sound_connector_passes(name: str) -> None:
    getattr(kit(Sound, [Away]), name)()


class Away(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        raise TransientSourceError("the source is away; the next run tries again")

    def check(self) -> list[str]:
        raise TransientSourceError("the source is away; the next run tries again")


class Lax(Sound):
    class Options(ConnectorOptions):  # type: ignore[misc,unused-ignore]
        model_config = ConnectorOptions.model_config | {"extra": "ignore"}


class Boastful(Sound):
    provides = frozenset({"source_key", "kind", "status", "received_at", "name_of_applicant"})


class Modest(Sound):
    provides = frozenset({"source_key", "kind", "status"})


class Silent(Sound):
    def check(self) -> list[str]:
        return []


class Chatty(Sound):
    def check(self) -> list[str]:
        return ["the token geheim-77 is accepted"]


class OtherStatus(Sound):
    def row(self, key: str) -> dict[str, Any]:
        return {**super().row(key), "status": 11}


class EmptyText(Sound):
    provides = Sound.provides | {"code"}

    def row(self, key: str) -> dict[str, Any]:
        return {**super().row(key), "code": ""}


class Keyless(Sound):
    def row(self, key: str) -> dict[str, Any]:
        return {**super().row(key), "source_key": None if key == "b" else key}


class Narrow(Sound):
    def normalise(self, page: Page) -> Batch:
        return replace(super().normalise(page), records=super().normalise(page).records.drop("apology_at"))


class Empty(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        yield Page([], "made up", {"next": 3}, listed_all=True)

    def normalise(self, page: Page) -> Batch:
        return Batch(conform(pl.DataFrame(schema={"source_key": pl.String(), "kind": pl.String()})))


class Moody(Sound):
    calls = 0

    def row(self, key: str) -> dict[str, Any]:
        Moody.calls += 1
        return {**super().row(key), "status": 4 + Moody.calls % 2}


class Vague(Sound):
    def normalise(self, page: Page) -> Batch:
        return replace(super().normalise(page), rejects=(Reject("", 4, None, "wrong; correct it"),))


class Leaking(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, location="made up", content=page.content, cursor={"who": "Nguyễn Văn Mẫu", "next": 3})


class Hoarding(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, content=[{"key": page.content[0], "name": "Nguyễn Văn Mẫu"}])

    def normalise(self, page: Page) -> Batch:
        return super().normalise(
            replace(page, content=[item["key"] if isinstance(item, dict) else item for item in page.content])
        )


class Talkative(Sound):
    def normalise(self, page: Page) -> Batch:
        print("reading the dossier of Nguyễn Văn Mẫu")
        return super().normalise(page)


class Hasty(Sound):
    """Its cursor stands beyond what was given."""

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, cursor={"next": len(KEYS)})


class Tuples(Sound):
    """JSON has no tuples, so that the cursor comes back as something else."""

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, cursor={"next": page.cursor["next"], "days": (1, 2)} if page.cursor else None)


class Forgetful(Sound):
    fetched = 0

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        Forgetful.fetched += 1
        pages = list(super().fetch(cursor))
        yield from pages[: 3 - Forgetful.fetched % 2]


class Early(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, listed_all=True)


class Jammed(Sound):
    taken = False

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        if Jammed.taken:
            return
        Jammed.taken = True
        yield from super().fetch(cursor)
        Jammed.taken = False


class Crashing(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        raise ConnectionResetError("by peer")


class BlabbingAway(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        raise TransientSourceError("the source does not take geheim-77; the next run tries again")


class LooksElsewhere(Sound):
    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        yield Page([key for key in keys if key == "a"], "made up")


class SeesGhosts(Sound):
    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        yield Page(list(keys), "made up")


class LooksByPatches(Sound):
    """What its look does not tell stays as it was listed."""

    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        for page in super().look(keys):
            yield replace(page, content=[f"look {key}" for key in page.content])

    def normalise(self, page: Page) -> Batch:
        looked = [key.removeprefix("look ") for key in page.content if key.startswith("look ")]
        if not looked:
            return super().normalise(page)
        return Batch(conform(pl.DataFrame([self.patch(key) for key in looked])), patch=True)

    def patch(self, key: str) -> dict[str, Any]:
        return {"source_key": key, "kind": "dossier", "status": 4}


class LooksOtherwise(LooksByPatches):
    def patch(self, key: str) -> dict[str, Any]:
        return {"source_key": key, "kind": "dossier", "status": 5}


class LooksAtNobody(LooksByPatches):
    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        return iter(())


class LooksTooClosely(LooksByPatches):
    def look(self, keys: Sequence[str]) -> Iterator[Page]:
        for page in super().look(keys):
            yield replace(page, location="dossier of Nguyễn Văn Mẫu")


@dataclass(slots=True)
class Slotted:
    name: str


class Wrapping(Sound):
    """Hands out what personal data it holds in another wrapping each time."""

    wrapped: ClassVar[Any] = None

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, content={"keys": page.content, "beside": self.wrapped})

    def normalise(self, page: Page) -> Batch:
        content = page.content
        return super().normalise(replace(page, content=content["keys"] if isinstance(content, dict) else content))


class Naming(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().fetch(cursor):
            yield replace(page, location="so cua Nguyễn Văn Mẫu.csv")


class Whispering(Sound):
    """Logs on the lowest level, which nobody listens to as a rule."""

    def normalise(self, page: Page) -> Batch:
        logging.getLogger("mau.so").debug("reading the dossier of %s", "Nguyễn Văn Mẫu")
        return super().normalise(page)


class Counting(Sound):
    def normalise(self, page: Page) -> Batch:
        return replace(super().normalise(page), unknown=Counter({("channel", "Nguyễn Văn Mẫu"): 1}))


class NamingAway(Away):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        raise PermanentSourceError("the line of Nguyễn Văn Mẫu cannot be read; correct it")


class NamingInCheck(Sound):
    def check(self) -> list[str]:
        return ["the first dossier is that of Nguyễn Văn Mẫu"]


class Misconfigured(Sound):
    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        raise ConfigError("the source has no column 'hen'; correct mapping")


class Repeating(Sound):
    def receive(self, body: bytes) -> Received:
        raise PermanentSourceError(f"{body!r} is no message; send what the interface describes")


class Swallowing(Sound):
    def receive(self, body: bytes) -> Received:
        return Received([{"data": 1}], {"error": None})


@pytest.mark.parametrize(
    ("cls", "name", "said"),
    [
        (Lax, "test_its_options_refuse_what_they_do_not_know", "unknown key"),
        (Boastful, "test_it_provides_canonical_columns", "name_of_applicant"),
        (Modest, "test_it_provides_canonical_columns", "received_at"),
        (Silent, "test_its_check_says_what_was_found_right", "check gives"),
        (Chatty, "test_its_check_says_what_was_found_right", "secret"),
        (OtherStatus, "test_its_records_are_canonical", "status holds"),
        (EmptyText, "test_its_records_are_canonical", "empty texts"),
        (Keyless, "test_its_records_are_canonical", "source_key is empty"),
        (Narrow, "test_its_records_are_canonical", "conform"),
        (Empty, "test_its_records_are_canonical", "no dossier"),
        (Moody, "test_normalise_is_pure", "other records"),
        (Vague, "test_its_rejects_say_where_and_why", "no place"),
        (Leaking, "test_nothing_personal_comes_through", "personal field"),
        (Hoarding, "test_nothing_personal_comes_through", "personal field"),
        (Talkative, "test_nothing_personal_comes_through", "personal field"),
        (Hasty, "test_from_every_cursor_on_nothing_is_missing", "misses"),
        (Tuples, "test_from_every_cursor_on_nothing_is_missing", "plain JSON"),
        (Forgetful, "test_the_same_source_tells_the_same", "dossiers"),
        (Early, "test_only_the_last_page_says_that_all_open_were_listed", "listed_all"),
        (Jammed, "test_a_fetch_may_be_left_early", "nothing is given"),
        (LooksElsewhere, "test_a_direct_look_tells_what_a_fetch_tells", "other dossiers"),
        (SeesGhosts, "test_a_direct_look_tells_what_a_fetch_tells", "other dossiers"),
        (LooksAtNobody, "test_a_direct_look_tells_what_a_fetch_tells", "other dossiers"),
        (LooksOtherwise, "test_a_direct_look_tells_what_a_fetch_tells", r"tells \['status'\]"),
        (LooksTooClosely, "test_nothing_personal_comes_through", "personal field"),
        (Naming, "test_nothing_personal_comes_through", "personal field"),
        (Whispering, "test_nothing_personal_comes_through", "personal field"),
        (Counting, "test_nothing_personal_comes_through", "personal field"),
        (NamingInCheck, "test_its_check_says_what_was_found_right", "personal field"),
        (Repeating, "test_a_body_that_is_rubbish_is_refused", "repeats the body"),
        (Swallowing, "test_a_body_that_is_rubbish_is_refused", "taken for a message"),
    ],
)
def test_a_broken_promise_is_found(cls: type[Any], name: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(kit(cls), name)()


@pytest.mark.parametrize(
    ("cls", "error"),
    [
        (Crashing, ConnectionResetError),
        (BlabbingAway, AssertionError),
        (NamingAway, AssertionError),
        (Sound, AssertionError),
    ],
)
def test_an_error_of_no_known_class_or_with_a_secret_is_found(cls: type[Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        kit(Sound, [cls]).test_what_goes_wrong_is_of_a_known_class()


def test_a_source_that_does_not_fit_its_settings_may_say_so() -> None:
    kit(Sound, [Misconfigured]).test_what_goes_wrong_is_of_a_known_class()


def test_a_look_may_tell_a_part_and_leave_the_rest_as_it_was() -> None:
    kit(LooksByPatches).test_a_direct_look_tells_what_a_fetch_tells()


WRAPPINGS: dict[str, Any] = {
    "series": pl.Series(["x"] * 2_000 + ["Nguyễn Văn Mẫu"] + ["x"] * 2_000),
    "array": np.array(["x"] * 2_000 + ["Nguyễn Văn Mẫu"] + ["x"] * 2_000),
    "frame": pl.DataFrame({"a": [[{"b": "Nguyễn Văn Mẫu"}]]}),
    "lazy frame": pl.LazyFrame({"a": ["Nguyễn Văn Mẫu"]}),
    "column name": pl.DataFrame({"Nguyễn Văn Mẫu": [1]}),
    "bytes": "Nguyễn Văn Mẫu".encode(),
    "object": Path("Nguyễn Văn Mẫu"),
    "slots": Slotted("Nguyễn Văn Mẫu"),
    "generations": [[[({"a": {"Nguyễn Văn Mẫu"}},)]]],
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_no_wrapping_hides_what_is_personal(wrapping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wrapping, "wrapped", WRAPPINGS[wrapping])
    with pytest.raises(AssertionError, match="personal field"):
        kit(Wrapping).test_nothing_personal_comes_through()
    ring: list[Any] = [np.array([]), pl.Series([], dtype=pl.String)]
    ring.append(ring)
    monkeypatch.setattr(Wrapping, "wrapped", ring)
    kit(Wrapping).test_nothing_personal_comes_through()


@pytest.mark.parametrize(
    ("columns", "said"),
    [({"received_at"}, None), ({"status", "received_at"}, "provides names too"), ({"no_column"}, "is no column"),
     ({"finished_at"}, "fills")],
)  # fmt: skip
def test_a_column_whose_emptiness_says_nothing_is_named(columns: set[str], said: str | None) -> None:
    tested = kit(Modest)
    type(tested).told_only_when_there = frozenset(columns)
    if said is None:
        tested.test_it_provides_canonical_columns()
        return
    with pytest.raises(AssertionError, match=said):
        tested.test_it_provides_canonical_columns()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python with the plug-in as it would be installed: its module, and what its package says of itself."""
    told = tmp_path / "tthc_monitor_ward_book-0.1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.4\nName: tthc-monitor-ward-book\nVersion: 0.1.0\n")
    project = (PLUGIN / "pyproject.toml").read_text(encoding="utf-8")
    group = project.split('[project.entry-points."tthc_monitor.connectors"]')[1].split("\n\n")[0].replace('"', "")
    (told / "entry_points.txt").write_text(f"[tthc_monitor.connectors]{group}\n")
    path = {"PYTHONPATH": f"{PLUGIN}:{tmp_path}:{Path(__file__).parents[2]}", "PATH": "/usr/bin:/bin"}

    def python(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *args], cwd=PLUGIN, env=path, capture_output=True, text=True, timeout=60, check=False
        )

    return python


def test_the_plug_in_of_the_examples_keeps_the_contract(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir", str(PLUGIN), str(PLUGIN)
    )
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) > len(TESTS)


def test_the_plug_in_of_the_examples_is_found_by_its_entry_point(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "so.jsonl").write_bytes((PLUGIN / "so.jsonl").read_bytes())
    settings = "sources:\n- name: phuong-mau\n  kind: ward-book\n  options: {path: so.jsonl, unit_code: H99.36}\n"
    (tmp_path / "tthc-monitor.yaml").write_text(settings)
    program = "import sys; from tthc_monitor.cli import main; sys.argv[0] = 'tthc-monitor'; main()"
    done = run("-c", program, "--config", str(tmp_path / "tthc-monitor.yaml"), "sources", "test", "phuong-mau")
    assert done.returncode == 0, done.stderr
    assert "3 dossiers can be read, 1 lines cannot" in done.stdout
    told = run("-c", "import json; from connectors.registry import kinds; print(json.dumps(kinds()))")
    assert "ward-book" in json.loads(told.stdout)
