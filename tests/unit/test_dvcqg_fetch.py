"""What of many messages lands, in which order, and what is remembered: the inbox and the spool."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.dvcqg import spool_reader, windows
from connectors.dvcqg.spool import SpoolFile, list_files
from tests.unit.dvcqg_messages import NOW, Ledger, MemoryInbox, body, connect, dossier, envelope, local, step, steps
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError

CODE = "H99.05-261005-0001"
DONE = {"TrangThaiHoSo": "9", "NgayKetThucXuLy": "20261012090000"}


def pulled(*sent: bytes, **options: Any) -> Ledger:
    """All messages arrive, then one pull."""
    connector = connect(inbox := MemoryInbox(), **options)
    for one in sent:
        inbox.put(connector, one)
    ledger = Ledger()
    ledger.pull(connector)
    return ledger


# -- every state told ---------------------------------------------------------------------------------------------------


def test_every_state_told_between_two_pulls_lands() -> None:
    sent = [body([dossier(TrangThaiHoSo=status), dossier("a-2")]) for status in (1, 2, 4, 5, 4, 4, 9)]
    ledger = pulled(*sent)
    assert ledger.told("status") == [1, 2, 4, 5, 4, 9]
    assert ledger.told("status", "a-2") == [4]
    assert ledger.rounds == 7


def test_messages_about_different_dossiers_need_one_round() -> None:
    sent = [one for number in range(60) for one in (body([dossier(f"a-{number}")]), steps(step(f"a-{number}")))]
    ledger = pulled(*sent)
    assert ledger.rounds == 2 and len(ledger.states) == 60


def test_what_a_message_does_not_tell_stays_and_what_it_empties_goes() -> None:
    ledger = pulled(
        body([dossier(**DONE, DanhSachHoSoBoSung=[{"NgayBoSung": "20261007090000"}])]),
        steps(step(ThoiDiemXuLy="20261012100000")),
        body([dossier()]),
        steps(step(ThoiDiemXuLy="20261013100000", NgayBatDau="", NgayKetThucTheoQuyDinh="")),
    )
    assert ledger.told("finished_at") == [local("20261012090000")] * 2 + [None] * 2, "the dossier was opened again"
    assert ledger.told("supplement_requested_at") == [local("20261007090000")] * 4
    assert ledger.told("step_due_at") == [None, *[local("20261008113000")] * 2, None], "the next step has no deadline"
    assert ledger.told("received_at") == [local("20261005090000")] * 4


def test_a_list_of_requests_replaces_the_one_before() -> None:
    asked = {"NgayBoSung": "20261007090000", "NgayHenTraTruoc": "20261015163000"}
    ledger = pulled(
        body([dossier(DanhSachHoSoBoSung=[{**asked, "NgayTiepNhanBoSung": "20261008090000"}])]),
        body([dossier(DanhSachHoSoBoSung=[asked, {"NgayBoSung": "20261009090000"}])]),
    )
    assert ledger.told("supplement_completed_at") == [local("20261008090000"), None]
    assert ledger.told("due_original") == [local("20261015163000")] * 2


# -- order --------------------------------------------------------------------------------------------------------------


def test_steps_of_one_message_stand_in_the_order_of_their_instants() -> None:
    late, early = step(ThoiDiemXuLy="20261007100000", TrangThai="5"), step(ThoiDiemXuLy="20261006100000")
    assert pulled(steps(late, early)).told("status") == [4, 5]


def test_a_step_that_was_held_up_on_the_way_overwrites_nothing() -> None:
    new = steps(step(ThoiDiemXuLy="20261007100000", TrangThai="5"))
    old = steps(step(ThoiDiemXuLy="20261006100000"))
    assert pulled(new, old).told("status") == [5]
    assert pulled(body([dossier(**DONE)]), old).told("status") == [9]
    two = Ledger()
    connector = connect(inbox := MemoryInbox())
    for one in (new, old):
        inbox.put(connector, one)
        two.pull(connector)
    assert two.told("status") == [5], "nor in a later pull"


def test_a_step_and_the_state_it_led_to_may_be_a_moment_apart() -> None:
    """The platform dates the step a second before the end that it brought."""
    sent = [body([dossier(**DONE)]), steps(step(ThoiDiemXuLy="20261012085959", TrangThai="9"))]
    assert pulled(*sent).told("last_step_at")[-1] == local("20261012085959")


def test_a_date_far_ahead_does_not_shut_out_what_follows() -> None:
    connector = connect(inbox := MemoryInbox())
    inbox.put(connector, steps(step(ThoiDiemXuLy="20991231000000", TrangThai="2")), NOW)
    inbox.put(connector, steps(step(ThoiDiemXuLy="20261014110000", TrangThai="5")), NOW + timedelta(hours=2))
    ledger = Ledger()
    ledger.pull(connector)
    assert ledger.told("status") == [2, 5]


def test_dossiers_have_no_instant_of_their_own_so_the_last_to_arrive_counts() -> None:
    assert pulled(body([dossier(**DONE)]), body([dossier()])).told("status") == [9, 4]


# -- never missed, never doubled ----------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_pulls_that_die_between_rounds_lose_no_state_and_tell_none_twice(data: st.DataObject) -> None:
    sent = data.draw(
        st.lists(
            st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 10)), min_size=1, max_size=4),
            min_size=1,
            max_size=8,
        )
    )
    limit = data.draw(st.integers(1, 6))
    whole, broken = Ledger(), Ledger()
    connector = connect(inbox := MemoryInbox())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "MOST_RECORDS", limit)
        for message in sent:
            inbox.put(connector, body([dossier(code, TrangThaiHoSo=status) for code, status in message]))
            if data.draw(st.booleans()):
                broken.pull(connector, dies_after_round=data.draw(st.integers(1, 3)))
                broken.staged = []
        whole.pull(connector)
        broken.pull(connector)
        assert broken.states == whole.states
        rounds = broken.rounds
        broken.pull(connector)
        assert broken.rounds == rounds, "nothing is left"


def test_a_cursor_survives_a_store_that_sorts_its_keys_and_stays_small() -> None:
    connector = connect(inbox := MemoryInbox())
    for number in range(0, 12_000, 400):
        many = [step(f"a-{number + at}", ThoiDiemXuLy=f"202610{1 + number // 1000:02d}100000") for at in range(400)]
        inbox.put(connector, steps(*many))
    ledger = Ledger()
    ledger.pull(connector)
    assert ledger.cursor is not None
    assert len(ledger.cursor["latest"]) < 5_000, "what is days back is overtaken by nothing"
    assert ledger.cursor["after"] == len(inbox.kept)


@pytest.mark.parametrize(
    "cursor",
    [{"version": 2, "scope": "0011", "at": "2026-10-01T00:00:00+00:00"}, {"mark": {"name": "a.csv"}}, {"version": 2}],
)
def test_what_a_source_of_another_kind_remembered_is_passed_over(cursor: dict[str, Any]) -> None:
    connector = connect(inbox := MemoryInbox())
    inbox.put(connector, body([dossier()]))
    ledger = Ledger(cursor=cursor)
    ledger.pull(connector)
    assert ledger.told("status") == [4]
    ledger.pull(connector)
    assert ledger.rounds == 1
    empty = Ledger(cursor=cursor)
    empty.pull(connect(MemoryInbox()))
    assert empty.cursor is not None and empty.cursor["after"] == 0, "and forgotten"


def test_settings_that_were_mended_are_applied_to_what_is_still_there(tmp_path: Path) -> None:
    inbox = MemoryInbox()
    wrong: dict[str, Any] = {"base": tmp_path, "spool": ".", "units": {"Sở khác": "H99.05"}}
    right: dict[str, Any] = {**wrong, "units": {"Sở Xây dựng tỉnh Mẫu": "H99.05"}, "statuses": {"11": 4}}
    for status in (2, 9, 11):
        inbox.put(connect(), body([dossier(TrangThaiHoSo=status)]))
    write(tmp_path, "1.json", body([dossier("a-3")]))
    ledger = Ledger()
    ledger.pull(connect(inbox, **wrong))
    pages = list(connect(inbox, **right).fetch(ledger.cursor))
    assert not any(page.new_round for page in pages) and all(page.undated and page.as_of is None for page in pages)
    last = {one["source_key"]: one for page in pages for one in connect(**right).normalise(page).records.to_dicts()}
    assert {key: (one["unit_code"], one["status"]) for key, one in last.items()} == {
        CODE: ("H99.05", 4), "a-3": ("H99.05", 4),
    }  # fmt: skip
    assert pages[-1].cursor is not None
    assert list(connect(inbox, **{**right, "patience": "1h"}).fetch(pages[-1].cursor)) == [], "patience says nothing"
    assert list(connect(inbox, key=b"another key of thirty-two bytes.", **right).fetch(pages[-1].cursor))


def test_without_inbox_and_spool_there_is_nothing_to_read() -> None:
    with pytest.raises(ConfigError, match=r"names no folder.*; set spool, or pull the source"):
        list(connect().fetch(None))
    (line,) = connect().check()
    assert "POST /receive/lgsp" in line


def test_a_pull_with_no_news_gives_no_page() -> None:
    connector = connect(inbox := MemoryInbox())
    assert list(connector.fetch(None)) == []
    inbox.put(connector, body([dossier()]))
    ledger = Ledger()
    ledger.pull(connector)
    assert list(connector.fetch(ledger.cursor)) == []


# -- the spool ----------------------------------------------------------------------------------------------------------


def write(folder: Path, name: str, sent: bytes, at: datetime = NOW) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sent)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def test_files_are_read_in_the_order_of_writing_and_left_as_they_are(tmp_path: Path) -> None:
    for minute, (name, status) in enumerate([("b.json", 1), ("2026/c.json", 2), ("a.JSON", 4)]):
        write(tmp_path, name, body([dossier(TrangThaiHoSo=status)]), NOW + timedelta(minutes=minute))
    for name in (".hidden.json", "d.json.tmp", "e.xml", ".git/f.json"):
        write(tmp_path, name, body([dossier("x-1")]))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ledger = Ledger()
    ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.told("status") == [1, 2, 4] and len(ledger.states) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.told("status") == [1, 2, 4]


def test_clocks_that_are_wrong_neither_miss_a_file_nor_read_one_twice(tmp_path: Path) -> None:
    ledger = Ledger()
    years = (2026, 1980, 2090, 2001)
    for status, year in enumerate(years, start=1):
        write(tmp_path, f"{status}.json", body([dossier(TrangThaiHoSo=status)]), NOW.replace(year=year))
        ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.told("status") == [1, 2, 3, 4]
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.told("status") == [1, 2, 3, 4], "the times changed and nothing else"


def test_a_file_written_anew_under_its_name_with_the_old_size_and_time_is_read(tmp_path: Path) -> None:
    ledger = Ledger()
    for status in (4, 5, 4):
        write(tmp_path, "state.json", body([dossier(TrangThaiHoSo=status)]))
        ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.told("status") == [4, 5, 4]


def test_the_same_message_under_another_name_is_told_again(tmp_path: Path) -> None:
    ledger = Ledger()
    for name, status in (("1.json", 4), ("2.json", 5), ("3.json", 4)):
        write(tmp_path, name, body([dossier(TrangThaiHoSo=status)]))
        ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.told("status") == [4, 5, 4]


def test_a_half_written_file_is_waited_for_and_those_after_it_too(tmp_path: Path) -> None:
    whole = body([dossier(TrangThaiHoSo=2)])
    half = write(tmp_path, "1.json", whole[:-30])
    write(tmp_path, "2.json", body([dossier(TrangThaiHoSo=4)]), NOW + timedelta(minutes=1))
    ledger = Ledger()
    ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.states == {} and ledger.rejects == []
    half.write_bytes(whole)
    os.utime(half, (NOW.timestamp(), NOW.timestamp()))
    ledger.pull(connect(base=tmp_path, spool=".", now=NOW + timedelta(minutes=5)))
    assert ledger.told("status") == [2, 4] and ledger.rejects == []


def test_a_file_that_stays_half_written_is_reported_once_and_read_when_it_is_whole(tmp_path: Path) -> None:
    whole = body([dossier("a-1")])
    half = write(tmp_path, "1.json", whole[:-30])
    write(tmp_path, "2.json", body([dossier("a-2")]), NOW + timedelta(minutes=1))
    ledger = Ledger()
    for minutes in (0, 5, 10, 15, 20):
        ledger.pull(connect(base=tmp_path, spool=".", now=NOW + timedelta(minutes=minutes)))
    assert [*ledger.states] == ["a-2"]
    assert [(one.location, one.reason.split(";")[0]) for one in ledger.rejects] == [
        ("1.json", "is not whole JSON in UTF-8")
    ]
    half.write_bytes(whole)
    ledger.pull(connect(base=tmp_path, spool=".", now=NOW + timedelta(minutes=25)))
    assert [*ledger.states] == ["a-2", "a-1"] and len(ledger.rejects) == 1


def test_a_file_that_grows_for_ever_holds_up_the_others_only_once(tmp_path: Path) -> None:
    ledger = Ledger()
    for hour in range(6):
        write(tmp_path, "1.json", b'{"service": ' + b" " * hour)
        write(tmp_path, f"{hour + 2}.json", body([dossier(f"a-{hour}")]), NOW + timedelta(minutes=hour))
        ledger.pull(connect(base=tmp_path, spool=".", now=NOW + timedelta(hours=hour)))
    assert len(ledger.states) == 6


def test_what_is_no_message_is_a_reject_and_the_other_files_land(tmp_path: Path) -> None:
    write(tmp_path, "1.json", b'{"service": "TraCuuHoSo", "ChuHoSo": "GIA DINH"}')
    write(tmp_path, "2.json", json.dumps([envelope([dossier(), {}])]).encode())
    (tmp_path / "3.json").symlink_to(tmp_path / "nowhere")
    ledger = Ledger()
    ledger.pull(connect(base=tmp_path, spool="."))
    assert [(one.location, one.row, one.column) for one in ledger.rejects] == [
        ("1.json", None, None), ("2.json", 2, "MaHoSo"),
    ]  # fmt: skip
    assert "GIA DINH" not in repr(ledger.rejects) and [*ledger.states] == [CODE]
    ledger.pull(connect(base=tmp_path, spool="."))
    assert len(ledger.rejects) == 2


def test_a_pipe_in_the_folder_is_no_message_and_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.json")
    (tmp_path / "2.json").symlink_to(tmp_path / "1.json")
    (tmp_path / "3.json").mkdir()
    write(tmp_path, "4.json", body([dossier()]))
    ledger = Ledger()
    ledger.pull(connect(base=tmp_path, spool="."))
    assert [*ledger.states] == [CODE] and ledger.rejects == []


def test_a_file_that_grows_while_it_is_read_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = body([dossier()])
    path = write(tmp_path, "1.json", whole)

    def listed(folder: Path) -> list[SpoolFile]:
        found = list_files(folder)
        path.write_bytes(whole + whole)
        return found

    ledger = Ledger()
    with monkeypatch.context() as patch:
        patch.setattr(spool_reader, "list_files", listed)
        ledger.pull(connect(base=tmp_path, spool="."))
    assert ledger.states == {} and ledger.rejects == []
    write(tmp_path, "1.json", whole)
    ledger.pull(connect(base=tmp_path, spool="."))
    assert [*ledger.states] == [CODE]


def test_a_folder_that_was_away_for_a_while_is_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    for status in (1, 2, 4):
        write(folder, f"{status}.json", body([dossier(TrangThaiHoSo=status)]))
    ledger = Ledger()
    ledger.pull(connect(base=tmp_path, spool="spool"))
    folder.rename(tmp_path / "away")
    with pytest.raises(PermanentSourceError, match="No such file or directory; make the folder"):
        ledger.pull(connect(base=tmp_path, spool="spool"))
    folder.mkdir()
    ledger.pull(connect(base=tmp_path, spool="spool"))
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    ledger.pull(connect(base=tmp_path, spool="spool"))
    assert ledger.told("status") == [1, 2, 4]


def test_pulls_of_a_spool_that_die_between_rounds_tell_each_state_once(tmp_path: Path) -> None:
    rng = random.Random(4)
    for number in range(30):
        state = dossier(rng.choice("ab"), TrangThaiHoSo=rng.randint(1, 10))
        write(tmp_path, f"{number:02d}.json", body([state]), NOW + timedelta(seconds=number))
    whole, broken = Ledger(), Ledger()
    whole.pull(connect(base=tmp_path, spool="."))
    for _ in range(4):
        broken.pull(connect(base=tmp_path, spool="."), dies_after_round=3)
        broken.staged = []
    broken.pull(connect(base=tmp_path, spool="."))
    assert broken.states == whole.states


def test_files_and_pushed_messages_go_on_each_where_they_were(tmp_path: Path) -> None:
    inbox = MemoryInbox()
    ledger = Ledger()
    for number in range(3):
        connector = connect(inbox, tmp_path, spool=".")
        inbox.put(connector, body([dossier(f"pushed-{number}")]))
        inbox.put(connector, body([dossier(f"pushed-{number}", TrangThaiHoSo=9)]))
        ledger.pull(connector, dies_after_round=1)
        ledger.staged = []
        write(tmp_path, f"{number}.json", body([dossier(f"spooled-{number}")]))
    ledger.pull(connect(inbox, tmp_path, spool="."))
    assert all(ledger.told("status", f"pushed-{number}") == [4, 9] for number in range(3))
    assert all(ledger.told("status", f"spooled-{number}") == [4] for number in range(3))


def test_many_files_need_little_memory_and_a_cursor_of_some_bytes_each(tmp_path: Path) -> None:
    count = 1_500
    for number in range(count):
        (tmp_path / f"{number:06d}.json").write_bytes(body([dossier(f"a-{number}", GhiChu="x" * 20_000)]))
    tracemalloc.start()
    read, cursor = 0, None
    for page in connect(base=tmp_path, spool=".").fetch(None):
        read, cursor = read + len(page.content["told"]), page.cursor or cursor
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == count
    assert peak < 15_000_000 < count * 20_000
    assert len(json.dumps(cursor)) - len(json.dumps(cursor["latest"])) < 30 * count  # type: ignore[index]
    assert len(list_files(tmp_path)) == count


# -- checks -------------------------------------------------------------------------------------------------------------


def test_check_says_how_to_push_and_how_the_spool_is(tmp_path: Path) -> None:
    connector = connect(inbox := MemoryInbox(), tmp_path, spool=".")
    lines = connector.check()
    assert "POST /receive/lgsp" in lines[0] and "Authorization: Bearer" in lines[0]
    assert lines[1:] == [
        "no message has arrived in the last days",
        "spool . can be read and holds no file ending in .json",
    ]
    inbox.put(connector, body([dossier()]))
    write(tmp_path, "1.json", body([dossier(), dossier("a-2", NgayTra="?")]))
    write(tmp_path, "2.json", b"{", NOW + timedelta(minutes=1))
    lines = connector.check()
    assert lines[1] == "1 messages arrived in the last days, the last of them at 14/10/2026 10:00"
    assert lines[2] == "spool .: 2 message files, the last one written at 14/10/2026 10:01"
    assert lines[3] == "the first 1 of them hold 2 records; 1 places in them cannot be read"
    assert lines[4].startswith("2.json is not whole")
