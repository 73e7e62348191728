"""Units and their successors. The simulated units are invented; the reform is that of 1 July 2025 (NQ 202/2025/QH15)."""

from __future__ import annotations

import gzip
from collections import defaultdict
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared_data import shared
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.unit_changes import changed, unread_columns
from tthc_monitor.domain.unit_checks import faults, require_sound
from tthc_monitor.domain.unit_files import described
from tthc_monitor.domain.unit_successors import Answer, NowRow, rows_now, unit_as_now
from tthc_monitor.domain.units import Succession, UnitRegister, UnitVersion

D2020, REFORM, D2027 = date(2020, 1, 1), date(2025, 7, 1), date(2027, 1, 1)
TODAY = date(2026, 11, 3)
NOBODY = Answer(None, ambiguous=True)


def unit(code: str, begun: date | None = None, ended: date | None = None, name: str | None = None) -> UnitVersion:
    return UnitVersion(code, name or f"Đơn vị mẫu {code}", "other", None, begun, ended)


def taken(
    old: str, new: str, on: date = REFORM, share: float | None = None, sectors: str = "", procedures: str = ""
) -> Succession:
    return Succession(old, new, on, "Nghị quyết mẫu", share, tuple(sectors.split()), tuple(procedures.split()))


def reform(*successions: Succession) -> UnitRegister:
    """Old units O… end with the reform, new ones N… begin, others were there all the time."""
    codes = sorted({code for one in successions for code in (one.from_code, one.to_code)})
    versions = [unit(code, REFORM if code[0] == "N" else None, REFORM if code[0] == "O" else None) for code in codes]
    register = UnitRegister(versions, successions)
    assert not faults(register)
    return register


def now(register: UnitRegister, code: str, sector: str = "", procedure: str = "", at: date = TODAY) -> str:
    """The successor's code, or ``?``."""
    found = unit_as_now(register, code, at, sector=sector or None, procedure=procedure or None)
    assert found.ambiguous == (found.successor_code is None)
    return found.successor_code or "?"


# -- who answers now ------------------------------------------------------------------------------------------------

ONE_DAY = {
    "one to one": ([taken("O1", "N1")], {"O1": "N1", "N1": "N1"}),
    "merger": ([taken("O1", "N1"), taken("O2", "N1")], {"O1": "N1", "O2": "N1"}),
    "into one that goes on": ([taken("O1", "K1")], {"O1": "K1", "K1": "K1"}),
    "split, nothing declared": ([taken("O1", "N1"), taken("O1", "N2")], {"O1": "?"}),
    "split, largest share": ([taken("O1", "N1", share=0.6), taken("O1", "N2", share=0.4)], {"O1": "N1"}),
    "split, the same shares": ([taken("O1", "N1", share=0.5), taken("O1", "N2", share=0.5)], {"O1": "?"}),
    "split, the last share is what is left": ([taken("O1", "N1", share=0.3), taken("O1", "N2")], {"O1": "N2"}),
    "split, the two others have less together": (
        [taken("O1", "N1", share=0.6), taken("O1", "N2"), taken("O1", "N3")],
        {"O1": "N1"},
    ),
    "split, one of the two others may have more": (
        [taken("O1", "N1", share=0.4), taken("O1", "N2"), taken("O1", "N3")],
        {"O1": "?"},
    ),
    "split, the two others may have more than the largest that is declared": (
        [taken("O1", "N1", share=0.4), taken("O1", "N2", share=0.1), taken("O1", "N3"), taken("O1", "N4")],
        {"O1": "?"},
    ),
    "many to many": (
        [
            *(taken("O1", "N1", share=0.8), taken("O1", "N2", share=0.2)),
            *(taken("O2", "N1", share=0.1), taken("O2", "N2", share=0.9)),
        ],
        {"O1": "N1", "O2": "N2"},
    ),
    "goes on, and another takes a declared part": ([taken("K1", "N1", share=0.2)], {"K1": "K1"}),
    "goes on, and another takes an undeclared part": ([taken("K1", "N1")], {"K1": "?"}),
    "goes on by its own succession": ([taken("K1", "K1"), taken("K1", "N1")], {"K1": "?"}),
    "goes on by its own succession, with less than another": (
        [taken("K1", "K1", share=0.3), taken("K1", "N1", share=0.4)],
        {"K1": "N1"},
    ),
}


@pytest.mark.parametrize(("successions", "expected"), ONE_DAY.values(), ids=ONE_DAY.keys())
def test_the_successor_of_one_day(successions: list[Succession], expected: dict[str, str]) -> None:
    register = reform(*successions)
    assert {code: now(register, code) for code in expected} == expected
    assert {now(register, code, at=REFORM - timedelta(days=1)) for code in expected if code[0] != "N"} <= set(expected)


def test_the_successor_begins_on_the_day() -> None:
    register = reform(taken("O1", "N1"))
    assert now(register, "O1", at=date(2025, 6, 30)) == "O1"
    assert now(register, "O1", at=date(2025, 7, 1)) == "N1"


@pytest.mark.parametrize(
    ("sector", "procedure", "expected"),
    [
        ("", "", "N1"),
        ("HT", "", "N1"),
        ("DD", "", "N2"),
        ("DD", "1.01", "N3"),
        ("HT", "1.01", "N3"),
        ("DD", "1.02", "N2"),
    ],
)
def test_procedure_decides_before_sector_and_sector_before_share(sector: str, procedure: str, expected: str) -> None:
    register = reform(
        *(taken("O1", "N1", share=1), taken("O1", "N2", sectors="DD XD"), taken("O1", "N3", procedures="1.01 1.03"))
    )
    assert now(register, "O1", sector, procedure) == expected


def test_competence_for_a_sector_passes_on_while_the_unit_goes_on() -> None:
    register = reform(taken("K1", "K2", sectors="DD"))
    assert (now(register, "K1", "DD"), now(register, "K1", "HT"), now(register, "K1")) == ("K2", "K1", "K1")


def test_what_no_succession_names_is_nobodys_when_the_unit_ended() -> None:
    register = reform(taken("O1", "K1", sectors="DD"))
    assert (now(register, "O1", "DD"), now(register, "O1", "HT")) == ("K1", "?")


def test_chains_are_followed_to_their_end_and_a_split_that_ends_in_one_unit_is_clear() -> None:
    register = UnitRegister(
        [unit("A", None, D2020), unit("B", D2020, REFORM), unit("C", D2020, REFORM), unit("D", REFORM)],
        [taken("A", "B", D2020), taken("A", "C", D2020), taken("B", "D"), taken("C", "D")],
    )
    assert not faults(register)
    assert now(register, "A", at=date(2024, 1, 1)) == "?"
    assert now(register, "A") == "D"


def test_a_code_that_goes_on_after_a_split_answers_for_what_came_later() -> None:
    register = reform(taken("K1", "K1"), taken("K1", "N1"))
    assert unit_as_now(register, "K1", TODAY, named_on=date(2025, 6, 30)) == NOBODY
    assert unit_as_now(register, "K1", TODAY, named_on=REFORM) == Answer("K1", ambiguous=False)


def test_of_several_splits_that_a_code_outlived_those_since_it_was_named_count() -> None:
    register = UnitRegister(
        [unit("K1"), unit("N1", D2020), unit("N2", REFORM)], [taken("K1", "N1", D2020), taken("K1", "N2")]
    )
    assert not faults(register)
    assert unit_as_now(register, "K1", TODAY, named_on=date(2024, 1, 1)) == NOBODY
    assert unit_as_now(register, "K1", TODAY, named_on=TODAY) == Answer("K1", ambiguous=False)


def test_a_unit_that_ended_is_followed_whenever_it_was_named() -> None:
    """Old software goes on writing the old code for a while."""
    register = reform(taken("O1", "N1"))
    assert unit_as_now(register, "O1", TODAY, named_on=date(2025, 8, 1)) == Answer("N1", ambiguous=False)


def test_a_unit_that_ended_without_successor_is_nobodys_and_an_unknown_one_its_own() -> None:
    register = UnitRegister([unit("A", None, REFORM)])
    assert (now(register, "A"), now(register, "A", at=D2020), now(register, "X")) == ("?", "A", "X")


# -- the table of answers says the same as the function --------------------------------------------------------------

CODES, SECTORS, PROCEDURES = ("A", "B", "C", "D"), ("S1", "S2"), ("P1", "P2")
DAYS = [date(2021 + year, 1, 1) for year in range(4)]


@st.composite
def registers(draw: st.DrawFn) -> UnitRegister:
    """Units that go on or end, with successions of every form among them."""
    ends = {code: draw(st.sampled_from([None, None, *DAYS])) for code in CODES}
    scopes = st.lists(st.sampled_from(SECTORS), max_size=1), st.lists(st.sampled_from(PROCEDURES), max_size=1)
    found = []
    for _ in range(draw(st.integers(0, 7))):
        old, new, day = (draw(st.sampled_from(part)) for part in (CODES, CODES, DAYS))
        share = draw(st.sampled_from([None, 0.2, 0.3]))
        sectors, procedures = (" ".join(draw(scope)) for scope in scopes)
        found.append(taken(old, new, day, share, sectors, procedures))
    register = UnitRegister([unit(code, None, end) for code, end in ends.items()], found)
    wrong = {fault.item for fault in faults(register)}
    return UnitRegister(register.versions, [one for one in dict.fromkeys(found) if one not in wrong])


@given(registers())
def test_the_table_answers_as_the_function_does(register: UnitRegister) -> None:
    rows = list(rows_now(register))
    day = timedelta(days=1)
    for code in CODES:
        for at in (DAYS[0] - day, *DAYS, TODAY):
            for named in (DAYS[0] - day, *DAYS):
                for sector in ("", *SECTORS, "S9"):
                    for procedure in ("", *PROCEDURES):
                        fit = [
                            row
                            for row in rows
                            if row.unit_code == code
                            and row.sector_code in ("", sector)
                            and row.procedure_code in ("", procedure)
                            and row.named_from <= named < row.named_to
                            and row.at_from <= at < row.at_to
                        ]
                        fit.sort(key=lambda row: (row.procedure_code == "", row.sector_code == ""))
                        told = fit[0].answer if fit else Answer(code, ambiguous=False)
                        asked = unit_as_now(
                            register, code, at, sector=sector or None, procedure=procedure or None, named_on=named
                        )
                        assert told == asked


@given(registers())
def test_whoever_answers_exists_on_that_day(register: UnitRegister) -> None:
    for code in CODES:
        for at in (*DAYS, TODAY):
            found = unit_as_now(register, code, at).successor_code
            assert found is None or register.version_on(found, at) is not None


def test_the_table_holds_what_differs_and_no_more() -> None:
    register = reform(taken("K2", "K1", sectors="DD"), taken("O3", "N3"))
    assert sorted(rows_now(register), key=lambda row: row.unit_code) == [
        NowRow("K2", "DD", "", date.min, REFORM, REFORM, date.max, Answer("K1", ambiguous=False)),
        NowRow("O3", "", "", date.min, date.max, REFORM, date.max, Answer("N3", ambiguous=False)),
    ]


def test_work_that_comes_back_is_followed_once_and_no_later_day_is_missed() -> None:
    back = UnitRegister([unit("A"), unit("B")], [taken("A", "B", D2020, 0.9), taken("B", "A", REFORM, 0.9)])
    assert not faults(back)
    assert {(row.unit_code, row.at_from) for row in rows_now(back) if row.answer.successor_code == "B"} == {
        ("A", D2020)
    }
    # C's part reaches D, to which A gave one itself; what B gave away afterwards counts all the same.
    codes = [unit("A", ended=D2020), unit("B", ended=D2027), unit("C", ended=REFORM), unit("D"), unit("E")]
    shares = [taken("A", "B", D2020, 0.6), taken("A", "C", D2020, 0.2), taken("A", "D", D2020, 0.2)]
    register = UnitRegister(codes, [*shares, taken("C", "D"), taken("B", "E", D2027)])
    assert not faults(register)
    assert [(row.at_from, row.answer.successor_code) for row in rows_now(register) if row.unit_code == "A"] == [
        (D2020, "B"),
        (REFORM, "B"),
        (D2027, "E"),
    ]


def test_predecessors_are_those_whose_work_came_the_earliest_first() -> None:
    register = UnitRegister(
        [],
        [taken("O2", "N1"), taken("O1", "N1"), taken("N1", "N1", D2027), taken("O3", "N1", D2020), taken("O1", "N2")],
    )
    assert [one.from_code for one in register.predecessors_of("N1")] == ["O3", "O1", "O2"]
    assert register.predecessors_of("O1") == []


# -- what is wrong is said at once ----------------------------------------------------------------------------------

WRONG = """
units:
  - {code: M1, name: Mẫu 1, kind: ward, valid_from: 2025-07-01, valid_to: 2025-07-01}
  - {code: M2, name: Mẫu 2, kind: ward, valid_to: 2025-07-01}
  - {code: M2, name: Mẫu 2, kind: ward, valid_from: 2026-01-01}
  - {code: M3, name: Mẫu 3, kind: ward, parent: M9}
  - {code: M4, name: Mẫu 4, kind: ward, valid_to: 2025-07-01}
  - {code: M4, name: Mẫu 4 mới, kind: ward, valid_from: 2025-06-01}
  - {code: M5, name: Mẫu 5, kind: ward, parent: M6}
  - {code: M6, name: Mẫu 6, kind: ward, parent: M5}
  - {code: M7, name: Mẫu 7, kind: ward, valid_to: 2025-07-01}
  - {code: M8, name: Mẫu 8, kind: ward, valid_to: 2026-07-01}
successions:
  - {from: M3, to: M5, date: 2025-07-01, share: 0.6, document: NQ}
  - {from: M3, to: M6, date: 2025-07-01, share: 0.7, document: NQ}
  - {from: M5, to: M3, date: 2025-07-01, share: 1.5, document: NQ}
  - {from: M6, to: M3, date: 2025-07-01, sectors: [DD], document: NQ}
  - {from: M6, to: M3, date: 2025-07-01, sectors: [DD], document: NQ}
  - {from: X1, to: X2, date: 2025-07-01, document: NQ}
  - {from: M3, to: M7, date: 2025-07-01, share: 0.1, document: NQ}
  - {from: M7, to: M8, date: 2025-07-01, document: NQ}
  - {from: M8, to: M7, date: 2026-07-01, document: NQ}
"""
FAULTS = {
    3: "unit M1 ends on 2025-07-01, not after its first day",
    5: "code M2 is used again from 2026-01-01 after its end on 2025-07-01",
    6: "parent M9 of unit M3 is not known",
    8: "unit M4 has two versions on 2025-06-01",
    9: "unit M5 stands above its own parent M6",
    10: "unit M6 stands above its own parent M5",
    16: "share 1.5 is not between 0 and 1",
    18: "succession M6 to M3 on 2025-07-01 stands 2 times",
    19: "X1 is not known",
    20: "M7 does not exist on 2025-07-01",
    22: "closes a circle",
}


def test_every_fault_of_a_file_is_told_at_once_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        require_sound(*_and_file(described(UnitRegister(), WRONG, "mau.yaml")))
    told: dict[int | None, str] = defaultdict(str)
    for problem in caught.value.problems:
        told[problem.line] += problem.message
    assert {line: text in told[line] for line, text in FAULTS.items()} == dict.fromkeys(FAULTS, True)
    assert "share 1.4 of its work, more than all" in "".join(told.values())
    assert set(told) == set(FAULTS)


@pytest.mark.parametrize(
    ("successions", "told"),
    [
        ([taken("M1", "M2", share=0)], ["share 0 is not between 0 and 1"]),
        ([taken("M1", "M2", share=1)], []),
        ([taken("M1", "M2", share=1), taken("M1", "M3", share=0.1)], ["share 1.1 of its work, more than all"]),
        # A share that is no share is told once, and not added up.
        ([taken("M1", "M2", share=1.5), taken("M1", "M3", share=0.1)], ["share 1.5 is not between 0 and 1"]),
        (
            [taken("E1", "E2"), taken("E2", "E1")],
            [
                "E1 to E2 on 2025-07-01 closes a circle",
                "E1 to E2 on 2025-07-01: E2 does not exist",
                "E2 to E1 on 2025-07-01 closes a circle",
                "E2 to E1 on 2025-07-01: E1 does not exist",
            ],
        ),
        # It began on the last day before.
        ([taken("L1", "M1")], []),
    ],
)
def test_what_is_wrong_with_successions(successions: list[Succession], told: list[str]) -> None:
    ended = [unit("E1", ended=REFORM), unit("E2", ended=REFORM), unit("L1", REFORM - timedelta(days=1), REFORM)]
    found = faults(UnitRegister([unit("M1"), unit("M2"), unit("M3"), *ended], successions))
    assert [text in one.message for one, text in zip(found, told, strict=True)] == [True] * len(told)


def _and_file(found: tuple[UnitRegister, dict[object, int]]) -> tuple[UnitRegister, str, dict[object, int]]:
    return found[0], "mau.yaml", found[1]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("units:\n  - {code: 12, name: X, kind: ward}", 2, "put it in quotes"),
        ("units:\n  - {code: M1, name: X, kind: town}", 2, "kind"),
        ("units:\n  - {code: M1, name: ' ', kind: ward}", 2, "name"),
        ("units:\n  - {code: M1, name: X, kind: ward, parnt: M2}", 2, "unknown key 'units.0.parnt'"),
        ("successions:\n  - {from: M1, to: M2, date: 2025-07-01}", 2, "'successions.0.document' is missing"),
        ("withdrawn: [M1]", 1, "unit M1 is not known"),
    ],
)
def test_what_is_not_of_the_form_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        described(UnitRegister(), text, "mau.yaml")
    assert [(one.line, message in one.message) for one in caught.value.problems] == [(line, True)]


def test_codes_and_names_are_read_without_blanks_around_them() -> None:
    text = 'units: [{code: " M1 ", name: " Mẫu ", kind: ward}]'
    register, _ = described(UnitRegister(), text, "mau.yaml")
    assert [(one.unit_code, one.name) for one in register.versions] == [("M1", "Mẫu")]


def test_a_description_replaces_what_it_names_and_nothing_else() -> None:
    known = reform(taken("O1", "N1"), taken("O2", "N2"))
    text = (
        "units: [{code: N1, name: Tên đúng, kind: ward, valid_from: 2025-07-01}]\n"
        "successions: [{from: O1, to: N2, date: 2025-07-01, document: NQ}]"
    )
    register, _ = described(known, text, "mau.yaml")
    assert not faults(register)
    assert (now(register, "O1"), now(register, "O2")) == ("N2", "N2")
    assert [one.name for one in register.versions_of("N1")] == ["Tên đúng"]
    assert len(register.versions) == 4


def test_what_was_withdrawn_is_gone_and_what_leads_to_it_is_a_fault() -> None:
    known = reform(taken("O1", "N1"), taken("O2", "N2"))
    register, lines = described(known, "withdrawn: [N1]", "mau.yaml")
    assert [fault.message for fault in faults(register)] == [
        "succession O1 to N1 on 2025-07-01: N1 is not known; add the unit, or correct its dates or the day"
    ]
    with pytest.raises(ConfigError, match="N1 is not known"):
        require_sound(register, "mau.yaml", lines)
    register, _ = described(known, "withdrawn: [O1, N1]", "mau.yaml")
    assert not faults(register) and register.codes == ["O2", "N2"]


# -- reforms as CSV -------------------------------------------------------------------------------------------------

PAIRS = """old_code;old_name;new_code;new_name;share;ghi chú
X1;Xã Mẫu Một;X1;Phường Mẫu;;
X2;Thị trấn Mẫu;X1;Phường Mẫu;0,7;
"""


def test_a_code_on_both_sides_goes_on_under_its_new_name() -> None:
    text = PAIRS.replace("0,7", "")
    register, lines = changed(UnitRegister(), text, "mau.csv", on=REFORM, document="NQ")
    require_sound(register, "mau.csv", lines)
    assert [(one.name, one.kind, one.valid_from, one.valid_to) for one in register.versions_of("X1")] == [
        ("Xã Mẫu Một", "commune", None, REFORM),
        ("Phường Mẫu", "ward", REFORM, None),
    ]
    assert now(register, "X2") == now(register, "X1") == "X1"
    assert unread_columns(text) == ["ghi chú"]


def test_the_same_table_again_changes_nothing_and_a_later_reform_keeps_what_was_known() -> None:
    text = PAIRS.replace("0,7", "")
    first, _ = changed(UnitRegister(), text, "mau.csv", on=REFORM, document="NQ")
    again, _ = changed(first, text, "mau.csv", on=REFORM, document="NQ")
    assert set(again.versions) == set(first.versions) and set(again.successions) == set(first.successions)
    later = "old_code,old_name,new_code,new_name\nX1,Phường Mẫu,X9,Phường Mẫu Lớn\n"
    second, _ = changed(first, later, "sau.csv", on=D2027, document="NQ 2")
    assert not faults(second)
    assert [(one.name, one.valid_to) for one in second.versions_of("X1")] == [
        ("Xã Mẫu Một", REFORM),
        ("Phường Mẫu", D2027),
    ]
    assert (now(second, "X2"), now(second, "X2", at=D2027)) == ("X1", "X9")
    corrected, _ = changed(second, later.replace("Mẫu Lớn", "Mẫu Rộng"), "sau.csv", on=D2027, document="NQ 2")
    assert [one.name for one in corrected.versions_of("X9")] == ["Phường Mẫu Rộng"]


def test_a_table_may_tell_several_days() -> None:
    text = "on,old_code,old_name,new_code,new_name,document\n2025-07-01,A,Xã A,A,Phường A,1\n2027-01-01,A,Phường A,B,Phường B,2\n"
    register, _ = changed(UnitRegister(), text, "mau.csv")
    assert not faults(register)
    assert [(one.name, one.valid_from, one.valid_to) for one in register.versions_of("A")] == [
        ("Xã A", None, REFORM),
        ("Phường A", REFORM, D2027),
    ]


def test_every_wrong_row_is_told_at_once() -> None:
    text = PAIRS + "X3;Xã Ba;X1;Phường Khác;;\nX4;;X1;Phường Mẫu;;\nX1;Xã Mẫu Một;X1;Phường Mẫu;;\n"
    with pytest.raises(ConfigError) as caught:
        changed(UnitRegister(), text, "mau.csv", on=REFORM, document="NQ")
    assert [(one.line, one.message.split(";")[0]) for one in caught.value.problems] == [
        (3, "share '0,7' is not a number"),
        (4, "unit X1 is described otherwise on line 2"),
        (5, "from_name is empty"),
        (6, "this pair stands already on line 2"),
    ]


def test_a_table_without_day_decision_or_codes_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        changed(UnitRegister(), "old_code,old_name,new_name\nA,B,C\n", "mau.csv")
    assert [one.message.split(";")[0] for one in caught.value.problems] == [
        "there is no column for to_code",
        "no column tells the day of the succession",
        "no column names the decision",
    ]


# -- the reform of 1 July 2025 --------------------------------------------------------------------------------------


def test_every_commune_of_the_reform_reaches_units_that_exist_and_splits_are_not_guessed() -> None:
    text = gzip.decompress(shared("units/old_to_new.csv.gz").read_bytes()).decode("utf-8-sig")
    new = shared("units/new_3321.csv").read_text("utf-8-sig").splitlines()[1:]
    codes = {line.split(",")[2] for line in new}
    register, lines = changed(UnitRegister(), text, "old_to_new.csv", on=REFORM, document="Nghị quyết 202/2025/QH15")
    require_sound(register, "old_to_new.csv", lines)
    old = {one.from_code for one in register.successions}
    split = {code for code in old if len(register.successions_of(code)[REFORM]) > 1}
    assert (len(register.successions), len(old), len(split), len(codes)) == (10_597, 10_035, 471, 3_321)
    assert {one.to_code for one in register.successions} <= codes
    found = {code: unit_as_now(register, code, TODAY) for code in old}
    assert {code for code, answer in found.items() if answer.ambiguous} == split
    assert {answer.successor_code for answer in found.values() if not answer.ambiguous} <= codes
    assert {one.kind for one in register.versions} <= {"commune", "ward", "special_zone"}
    # One declared share, or one more than half, decides each of them.
    some = min(split)
    declared = [
        Succession(one.from_code, one.to_code, one.on, one.document, 0.6)
        if (one.from_code == some and one == register.successions_of(some)[REFORM][0])
        else one
        for one in register.successions
    ]
    assert unit_as_now(UnitRegister(register.versions, declared), some, TODAY).successor_code is not None
