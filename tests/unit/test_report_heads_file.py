"""The table of heads of units: what is read of it, and that every error has its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.outputs.report_heads_file import parse_heads, read_heads

HEADER = "unit_code,title,name,since,until\n"


@pytest.mark.parametrize(
    "text",
    [
        HEADER + 'A,Giám đốc,"Lê, B",2026-01-31,2026-12-31\n\n',
        "Unit_Code;TITLE;name;since;until\r\nA;Giám đốc;Lê, B;31/01/2026;31/12/2026\r\n",
        'until,since,ghi chú,name,title,unit_code\n2026-12-31,2026-01-31,x,"Lê, B",Giám đốc, A \n',
    ],
)
def test_commas_semicolons_and_both_ways_of_dates_are_read(text: str) -> None:
    [head] = parse_heads(text, "x.csv")
    assert (head.unit_code, head.label, head.since, head.until) == (
        "A",
        "Giám đốc Lê, B",
        date(2026, 1, 31),
        date(2026, 12, 31),
    )
    assert [head.on(day) for day in (date(2026, 1, 30), date(2026, 1, 31), date(2026, 12, 31), date(2027, 1, 1))] == [
        *(False, True),
        *(True, False),
    ]


def test_one_after_the_other_and_without_a_name_is_fine() -> None:
    rows = "A,Giám đốc,,,2026-05-31\nA,Quyền Giám đốc,,2026-06-01,\nB,Chủ tịch,,,\n"
    heads = parse_heads(HEADER + rows, "x.csv")
    assert [head.label for head in heads if head.on(date(2026, 6, 1))] == ["Quyền Giám đốc", "Chủ tịch"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"x\.csv:1: column 'unit_code' is missing; give the columns"),
        ("unit_code,name\n", r"x\.csv:1: column 'title' is missing"),
        (HEADER + "A,,,,\n", r"x\.csv:2: 'title' is empty; fill it in"),
        (HEADER + ",Giám đốc,,,\n", r"x\.csv:2: 'unit_code' is empty"),
        (HEADER + "A,Giám đốc,Lê,B,,\n", r"x\.csv:2: more cells than columns; put a text with a comma in quotes"),
        (HEADER + "A,Giám đốc,,31.01.2026,\n", r"x\.csv:2: since '31\.01\.2026' is no day; write it as"),
        (HEADER + "A,Giám đốc,,31/02/2026,\n", r"x\.csv:2: since '31/02/2026' is no day"),
        (HEADER + "A,Giám đốc,,2026-02-01,2026-01-01\n", r"x\.csv:2: until 2026-01-01 lies before since 2026-02-01"),
        (HEADER + f"A,{'x' * 201},,,\n", r"x\.csv:2: 'title' has more than 200 characters"),
        (
            HEADER + "A,Một,,,2026-06-01\nA,Hai,,2026-06-01,\n",
            r"x\.csv:3: unit A has a head on these days already, on line 2",
        ),
        (HEADER + "A,Một,,2026-06-01,\nA,Hai,,,\n", r"x\.csv:3: unit A has a head on these days already, on line 2"),
        (HEADER + 'A,"Giám đốc,,,\n', r"x\.csv:\d: not a table: .*; save it as CSV again"),
    ],
)
def test_errors_name_their_line_and_what_to_do(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_heads(text, "x.csv")


def test_all_errors_come_at_once_in_the_order_of_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_heads(HEADER + "A,Một,,,\n,Hai,,,\nA,Ba,,x,\nA,Bốn,,,\n", "x.csv")
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5]


def test_a_file_that_is_not_there_or_in_another_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"report\.heads_file .*x\.csv cannot be read: .*; correct the path, or remove"
    ):
        read_heads(tmp_path / "x.csv")
    (tmp_path / "y.csv").write_bytes((HEADER + "A,Giám đốc,,,\n").encode("utf-16"))
    with pytest.raises(ConfigError, match="is not UTF-8; save it as “CSV UTF-8”"):
        read_heads(tmp_path / "y.csv")
