"""Files of catalogues: the portal's exports, an office's own limits, and what an import does to those held."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared_data import shared
from tthc_monitor.catalogue.catalogue_yaml import parse_limits
from tthc_monitor.catalogue.files import read_catalogue
from tthc_monitor.catalogue.portal_jsonl import limits_of, read_jsonl
from tthc_monitor.catalogue.portal_xlsx import read_xlsx
from tthc_monitor.catalogue.succession import succeed
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.procedure_catalogue import ProcedureEntry, SourcedLimit, office_first
from tthc_monitor.domain.time_limits import TimeLimit

TODAY = dt.date(2026, 11, 22)
BEFORE = dt.date(2026, 6, 1)


def line(code: str = "1.000001", limits: str = "Trực tiếp3 Ngày làm việcMiễn phí", **more: Any) -> str:
    row = {"ma_thu_tuc": code, "ten_thu_tuc": "Cấp  giấy\nphép", "cach_thuc_thuc_hien": limits, **more}
    return json.dumps(row, ensure_ascii=False)


def written(folder: Path, *lines: str, name: str = "procedures.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def limit(code: str = "1.1", amount: float | None = 5, **more: Any) -> TimeLimit:
    return TimeLimit.model_validate(
        {"procedure_code": code, "amount": amount, "unit": "working_day", "legal_basis": "QĐ 1", **more}
    )


def sourced(*limits: TimeLimit) -> list[SourcedLimit]:
    return [SourcedLimit(one) for one in limits]


def problems_of(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        parse_limits(text, "own.yaml")
    return [(problem.line, problem.message) for problem in caught.value.problems]


class TestPortalJsonLines:
    def test_a_procedure_is_read_whole(self, tmp_path: Path) -> None:
        told = {
            "so_quyet_dinh": "12/QĐ-BTP", "cap_thuc_hien": "Cấp xã", "linh_vuc": "Hộ tịch",
            "co_quan_thuc_hien": "Không có thông tin", "co_quan_co_tham_quyen": "",
        }  # fmt: skip
        entries, readings = read_jsonl(written(tmp_path, line(**told), ""))
        assert entries == [
            ProcedureEntry("1.000001", "Cấp giấy phép", sector="Hộ tịch", level="Cấp xã", decision="12/QĐ-BTP")
        ]
        (found,) = limits_of(entries, readings, None)
        assert found.limit == limit("1.000001", 3, legal_basis="Quyết định công bố 12/QĐ-BTP")
        assert found.source_text == "Trực tiếp3 Ngày làm việcMiễn phí"
        (found,) = limits_of(entries, readings, "QĐ 7")
        assert found.limit.legal_basis == "QĐ 7"

    def test_a_limit_is_the_procedures_only_where_all_channels_agree(self, tmp_path: Path) -> None:
        same = "Trực tiếp3 NgàyMiễn phíTrực tuyến3 NgàyMiễn phí"
        unlike = "Trực tiếp3 NgàyMiễn phíTrực tuyến2 NgàyMiễn phí"
        partly = "Trực tiếp3 NgàyMiễn phíTrực tuyến3Miễn phí"
        path = written(tmp_path, line("1", same), line("2", unlike), line("3", partly), line("4", "Trực tiếp3Miễn phí"))
        found = limits_of(*read_jsonl(path), None)
        assert [(item.limit.procedure_code, item.limit.channel, item.limit.amount) for item in found] == [
            ("1", None, 3), ("2", "direct", 3), ("2", "online", 2), ("3", "direct", 3),
        ]  # fmt: skip

    def test_every_broken_line_is_told_with_its_number(self, tmp_path: Path) -> None:
        path = written(tmp_path, line(), "{", "[]", line(ten_thu_tuc=" "), line(ma_thu_tuc=5), line())
        with pytest.raises(ConfigError) as caught:
            read_jsonl(path)
        assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5, 6]
        assert "stands twice" in caught.value.problems[-1].message

    def test_a_cut_archive_and_an_empty_file_are_told(self, tmp_path: Path) -> None:
        cut = tmp_path / "cut.jsonl.gz"
        cut.write_bytes(gzip.compress((line() * 50).encode())[:-12])
        with pytest.raises(ConfigError, match="again"):
            read_jsonl(cut)
        (tmp_path / "no.jsonl.gz").write_bytes(b"no archive")
        with pytest.raises(ConfigError, match="again"):
            read_jsonl(tmp_path / "no.jsonl.gz")
        with pytest.raises(ConfigError, match="no procedures"):
            read_jsonl(written(tmp_path, "", name="empty.jsonl"))

    def test_the_national_catalogue(self) -> None:
        found = read_catalogue(shared("tthc_catalogue/procedures.jsonl.gz"))
        assert (found.origin, len(found.entries), len(found.scope)) == ("portal", 2642, 2642)
        assert len(found.limits) == 2149
        assert sum(item.limit.channel is None for item in found.limits) == 1796
        assert len({item.limit.procedure_code for item in found.limits}) == 1934


class TestPortalWorkbooks:
    def test_the_national_lists_cover_the_catalogue(self) -> None:
        folder = shared("tthc_catalogue")
        lists = {path.name: read_xlsx(path) for path in sorted(folder.glob("*.xlsx"))}
        assert {name: len(entries) for name, entries in lists.items()} == {
            "danh-sach-tthc-BoCongAn.xlsx": 339, "danh-sach-tthc-BoTaiChinh.xlsx": 706,
            "danh-sach-tthc-BoTuPhap.xlsx": 271, "danh-sach-tthc-BoXayDung.xlsx": 525,
            "danh-sach-tthc-NganhangNhanuocVietNam.xlsx": 261, "danh-sach-tthc-NongNghiepvaMoiTruong.xlsx": 537,
            "toa-an-nhan-dan.xlsx": 3,
        }  # fmt: skip
        codes = {entry.procedure_code for entries in lists.values() for entry in entries}
        assert codes == {item.procedure_code for item in read_catalogue(folder / "procedures.jsonl.gz").entries}
        court = {entry.procedure_code: entry for entry in lists["toa-an-nhan-dan.xlsx"]}["3.000165"]
        assert court.issuer == "Tòa án nhân dân" and court.level is None and court.decision is None
        assert court.agency is not None and court.agency.startswith("Tòa án nhân dân cấp cao, Tòa án nhân dân tỉnh")

    def book(self, folder: Path, *rows: tuple[str | None, ...]) -> Path:
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append(("DANH SÁCH",))
        for row in rows:
            book.active.append(row)
        path = folder / "list.xlsx"
        book.save(path)
        return path

    HEADER = ("Mã số", "Tên", "Cơ quan ban hành", "Cơ quan thực hiện", "Lĩnh vực")

    def test_rows_without_code_or_name_and_repeated_ones_are_told(self, tmp_path: Path) -> None:
        path = self.book(
            tmp_path, self.HEADER, ("1.1", "A", "B", "C", "D"), (None, "A", "B", "C", "D"), ("1.1", "A", "B", "C", "D")
        )
        with pytest.raises(ConfigError, match=r"row 4: no code(.|\n)*row 5: 1\.1 stands twice"):
            read_xlsx(path)

    def test_a_book_without_the_portals_columns_or_rows_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="Mã số"):
            read_xlsx(self.book(tmp_path, ("Tên", "Mã", "x", "y", "z"), ("1", "2", "3", "4", "5")))
        with pytest.raises(ConfigError, match="no procedures"):
            read_xlsx(self.book(tmp_path, self.HEADER))
        (tmp_path / "no.xlsx").write_bytes(b"no workbook")
        with pytest.raises(PermanentSourceError):
            read_xlsx(tmp_path / "no.xlsx")
        with pytest.raises(ConfigError, match="cannot be read"):
            read_xlsx(tmp_path / "missing.xlsx")


OWN = """
defaults:
  legal_basis: Quyết định 12/QĐ-UBND
  policy: {cutoff: "15:00", clock_model: pause}
limits:
  - {procedure_code: "1.004230", amount: 20, unit: working_day, valid_to: 2026-04-15}
  - procedure_code: "1.004230"
    amount: 15
    unit: working_day
    valid_from: 2026-04-15
    valid_to: 2027-03-01
    legal_basis: Nghị quyết 66.16/2026/NQ-CP
    policy: {clock_model: restart}
  - {procedure_code: "1.004230", unit_code: H15.99, amount: 20, unit: working_day, extra_working_days: 10}
  - {procedure_code: "1.004230", channel: online, unit: same_day}
  - {procedure_code: "9.999999", abolished: true, valid_from: 2026-07-01}
"""


class TestOwnFile:
    def test_temporary_limits_units_channels_remote_areas_and_abolished_procedures(self) -> None:
        found = parse_limits(OWN, "own.yaml")
        assert [(one.amount, one.unit, one.unit_code, one.channel, one.abolished) for one in found] == [
            (20, "working_day", None, None, False), (15, "working_day", None, None, False),
            (20, "working_day", "H15.99", None, False), (None, "same_day", None, "online", False),
            (None, None, None, None, True),
        ]  # fmt: skip
        assert found[2].extra_working_days == 10
        temporary = found[1]
        assert temporary.legal_basis == "Nghị quyết 66.16/2026/NQ-CP"
        # NQ 66.16/2026/NQ-CP: from 15/04/2026 to the end of 28/02/2027.
        assert [temporary.in_force(day) for day in (
            dt.date(2026, 4, 14), dt.date(2026, 4, 15), dt.date(2027, 2, 28), dt.date(2027, 3, 1)
        )] == [False, True, True, False]  # fmt: skip

    def test_a_policy_completes_the_files_field_by_field(self) -> None:
        first, second, *_ = parse_limits(OWN, "own.yaml")
        assert first.policy is not None and second.policy is not None
        assert (first.policy.cutoff, first.policy.clock_model) == ("15:00", "pause")
        assert (second.policy.cutoff, second.policy.clock_model) == ("15:00", "restart")

    def test_without_defaults_there_is_no_policy(self) -> None:
        (found,) = parse_limits('limits: [{procedure_code: "1", amount: 1, unit: month, legal_basis: x}]', "own.yaml")
        assert found.policy is None and found.valid_from is None

    def test_everything_wrong_is_told_at_once_with_lines(self) -> None:
        text = """defaults:
  policy: {clock_modl: pause}
limits:
  - procedure_code: 1.004230
    amount: 5
    unit: working_day
    legal_basis: a
  - {procedure_code: "1.1", amount: 5, legal_basis: a}
  - {procedure_code: "1.2", unit: working_days, amount: 3}
  - procedure_code: "1.2"
    unit: same_day
    legal_basis: x
    chanel: online
  - nothing
"""
        assert [(line, message.split(";")[0][:44]) for line, message in problems_of(text)] == [
            (2, "unknown key 'defaults.policy.clock_modl'"),
            (4, "'procedure_code' must stand in quotes, such "),
            (8, "'limits.1': give 'unit': working_day, calend"),
            (9, "'limits.2.unit': Input should be 'working_da"),
            (9, "key 'limits.2.legal_basis' is missing"),
            (13, "unknown key 'limits.3.chanel'"),
            (14, "'limits.4': Input should be a valid dictiona"),
        ]

    @pytest.mark.parametrize(
        ("first", "second", "overlap"),
        [
            ("", "", True),
            ("valid_to: 2026-05-01", "valid_from: 2026-04-30", True),
            ("valid_to: 2026-05-01", "valid_from: 2026-05-01", False),
            ("channel: online", "channel: direct", False),
            ("unit_code: A", "unit_code: B", False),
            ("channel: online", "", False),
        ],
    )
    def test_two_limits_for_the_same_days_are_refused(self, first: str, second: str, overlap: bool) -> None:
        rows = "\n".join(f'  - {{procedure_code: "1", amount: 3, unit: month, {more}}}' for more in (first, second))
        text = f"defaults: {{legal_basis: x}}\nlimits:\n{rows}\n"
        if not overlap:
            assert len(parse_limits(text, "own.yaml")) == 2
            return
        ((number, message),) = problems_of(text)
        assert number == 4 and "on line 3" in message and "valid_to" in message

    @pytest.mark.parametrize("text", ["", "- a\n", "limits: []\n", "limits: x\n", "limit:\n  - a\n"])
    def test_a_file_that_is_no_list_of_limits_is_refused(self, text: str) -> None:
        assert problems_of(text)


class TestAnyFile:
    def test_the_ending_tells_the_kind(self, tmp_path: Path) -> None:
        own = written(tmp_path, OWN, name="own.yaml")
        found = read_catalogue(own)
        assert (found.origin, found.scope, found.entries) == ("office", {"1.004230", "9.999999"}, ())
        assert read_catalogue(written(tmp_path, line()), "QĐ 3").limits[0].limit.legal_basis == "QĐ 3"

    def test_others_and_missing_ones_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"\.yaml"):
            read_catalogue(written(tmp_path, "a", name="a.csv"))
        with pytest.raises(ConfigError, match="does not exist"):
            read_catalogue(tmp_path / "none.yaml")
        (tmp_path / "latin.yaml").write_bytes(b"limits: \xff")
        with pytest.raises(ConfigError, match="UTF-8"):
            read_catalogue(tmp_path / "latin.yaml")


class TestSuccession:
    """NQ 66.16/2026/NQ-CP Art. 18: earlier dossiers stay under the law of their reception."""

    def after(self, held: list[TimeLimit], read: list[TimeLimit], valid_from: dt.date | None = None) -> list[TimeLimit]:
        return [item.limit for item in succeed(sourced(*held), sourced(*read), valid_from, TODAY)]

    def test_first_limits_hold_since_ever_or_since_the_day_named(self) -> None:
        assert self.after([], [limit()]) == [limit()]
        assert self.after([], [limit()], BEFORE) == [limit(valid_from=BEFORE)]

    def test_a_repeated_limit_keeps_its_dates(self) -> None:
        for held in (limit(), limit(valid_from=BEFORE)):
            assert self.after([held], [limit()]) == [held]
            assert self.after([held], [limit()], BEFORE) == [held]

    def test_a_changed_limit_begins_where_the_former_ends(self) -> None:
        assert self.after([limit()], [limit(amount=3)]) == [
            limit(amount=3, valid_from=TODAY), limit(valid_to=TODAY)
        ]  # fmt: skip
        assert self.after([limit()], [limit(amount=3)], BEFORE) == [
            limit(amount=3, valid_from=BEFORE), limit(valid_to=BEFORE)
        ]  # fmt: skip

    def test_history_stays_and_what_was_overtaken_goes(self) -> None:
        held = [limit(amount=9, valid_to=BEFORE), limit(valid_from=BEFORE)]
        assert self.after(held, [limit(amount=3)]) == [
            limit(amount=3, valid_from=TODAY), held[0], limit(valid_from=BEFORE, valid_to=TODAY)
        ]  # fmt: skip
        # Changed again on the same day: what begins today had no day of its own.
        assert self.after([limit(amount=4, valid_from=TODAY)], [limit(amount=3)]) == [
            limit(amount=3, valid_from=TODAY)
        ]  # fmt: skip

    def test_a_limit_that_can_no_longer_be_read_ends(self) -> None:
        held = [limit(channel="direct"), limit(channel="online")]
        assert self.after(held, [limit(channel="direct")]) == [
            limit(channel="direct"), limit(channel="online", valid_to=TODAY)
        ]  # fmt: skip

    def test_a_repeated_limit_moves_forward_to_the_day_named(self) -> None:
        held = [limit(amount=9, valid_to=TODAY), limit(valid_from=TODAY)]
        assert self.after(held, [limit()], BEFORE) == [limit(valid_from=BEFORE), limit(amount=9, valid_to=BEFORE)]

    @given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6)), max_size=6))
    def test_however_often_it_changes_one_limit_holds_on_each_day(self, imports: list[tuple[int, int]]) -> None:
        days = [TODAY + dt.timedelta(days=number) for number in range(-3, 10)]
        held: list[SourcedLimit] = sourced(limit(amount=1))
        for amount, later in imports:
            day = TODAY + dt.timedelta(days=later)
            held = succeed(held, sourced(limit(amount=amount)), day, TODAY)
            for today in days:
                (one,) = [item.limit for item in held if item.limit.in_force(today)]
                assert today < day or one.amount == amount


class TestOfficeFirst:
    def test_the_portals_limit_stands_outside_the_offices_days(self) -> None:
        own = limit(amount=3, valid_from=BEFORE, valid_to=TODAY)
        assert office_first([own], [limit()]) == [own, limit(valid_to=BEFORE), limit(valid_from=TODAY)]

    def test_a_wider_limit_of_the_office_takes_every_channel(self) -> None:
        own = limit(amount=3)
        assert office_first([own], [limit(channel="online"), limit("2.2")]) == [own, limit("2.2")]

    @pytest.mark.parametrize("narrow", [{"unit_code": "H15"}, {"channel": "online"}])
    def test_a_narrower_limit_of_the_office_leaves_the_portals(self, narrow: dict[str, str]) -> None:
        own = limit(amount=3, **narrow)
        assert office_first([own], [limit()]) == [own, limit()]

    def test_an_abolished_procedure_has_no_limit_of_the_portal_afterwards(self) -> None:
        own = TimeLimit(procedure_code="1.1", abolished=True, valid_from=TODAY, legal_basis="NQ")
        assert office_first([own], [limit()]) == [own, limit(valid_to=TODAY)]

    @given(
        st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), max_size=5), st.integers(0, 10), st.integers(1, 15)
    )
    def test_each_day_has_the_portals_limit_exactly_where_the_office_has_none(
        self, spans: list[tuple[int, int]], first: int, length: int
    ) -> None:
        def during(start: int, size: int, amount: float) -> TimeLimit:
            day = TODAY + dt.timedelta(days=start)
            return limit(amount=amount, valid_from=day, valid_to=day + dt.timedelta(days=size))

        own = [during(*span, amount=1) for span in spans]
        portal = during(first, length, 2)
        found = office_first(own, [portal])[len(own) :]
        for number in range(-1, 32):
            day = TODAY + dt.timedelta(days=number)
            wanted = portal.in_force(day) and not any(one.in_force(day) for one in own)
            assert sum(one.in_force(day) for one in found) == wanted
