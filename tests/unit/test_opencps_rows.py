"""OpenCPS rows as canonical records: odd shapes, bad dates, re-appointments, what is kept and what is not."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import Connector, Page, Surroundings
from connectors.opencps import OpencpsConnector, OpencpsOptions
from connectors.opencps.answers import FIELDS, applicant_hash, kept, read_detail, read_listing
from connectors.opencps.history import History, read_history
from connectors.opencps.membership import Membership
from connectors.opencps.state import scope_of
from tthc_monitor.domain.records import RECORD_SCHEMA, Batch

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
BASE: dict[str, Any] = {"url": "https://motcua.example/o", "group_id": 55001, "username": "giamsat", "password": "x"}
ROW: dict[str, Any] = {
    "dossierId": 7,
    "groupId": 55001,
    "dossierNo": "H99.05-261101-0007",
    "serviceCode": 2.0002,
    "govAgencyCode": "H99.05",
    "govAgencyName": "Sở Xây dựng tỉnh Mẫu",
    "domainCode": 7,
    "dossierStatus": "processing",
    "dossierSubStatus": "processing_1",
    "stepCode": 200,
    "submitDate": "",
    "receiveDate": "02/11/2026 08:15:00",
    "dueDate": "09/11/2026 08:15:00",
    "extendDate": "",
    "releaseDate": "",
    "finishDate": "",
    "online": "false",
}


def connector(**options: Any) -> OpencpsConnector:
    return OpencpsConnector("thu", OpencpsOptions(**BASE, **options), Surroundings(lambda: NOW, Path()))


def normalise(*rows: Any, histories: dict[str, Any] | None = None, **options: Any) -> Batch:
    listing = read_listing(json.dumps({"total": len(rows), "data": rows}).encode())
    content: dict[str, Any] = {"rows": [kept(row, None) for row in listing.rows]}
    if histories is not None:
        content["histories"] = histories
    return connector(**options).normalise(Page(content, "rest/v2/dossiers?start=0"))


def one(**changes: Any) -> dict[str, Any]:
    batch = normalise(ROW | changes)
    assert not batch.rejects
    return batch.records.to_dicts()[0]


def at(day: int, hour: int = 8, minute: int = 15) -> datetime:
    """Instant of a local time in November 2026."""
    return datetime(2026, 11, day, hour - 7, minute, tzinfo=UTC)


def test_it_is_a_connector_and_gives_canonical_columns() -> None:
    assert isinstance(connector(), Connector)
    assert list(normalise(ROW).records.columns) == list(RECORD_SCHEMA)
    assert normalise().records.height == 0


def test_a_plain_row() -> None:
    record = one()
    assert record["source_key"] == "55001/7"
    assert record["kind"] == "dossier"
    assert record["code"] == "H99.05-261101-0007"
    assert record["procedure_code"] == "2.000200"
    assert (record["sector_code"], record["step_code"]) == ("7", "200")
    assert (record["status"], record["source_status"]) == (4, "processing/processing_1")
    assert (record["received_at"], record["due_current"]) == (at(2), at(9))
    assert record["submitted_at"] is record["due_original"] is record["finished_at"] is record["delivered_at"] is None
    assert record["channel"] == "direct"
    assert record["supplement_count"] is None


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ({"data": ROW}, [7]),
        ({"data": [ROW, ROW | {"dossierId": 8}]}, [7, 8]),
        ({}, []),
        ({"data": None}, []),
        ({"data": ""}, []),
        ({"data": []}, []),
        ({"data": [ROW, "chữ", None, [1]]}, [7, None, None, None]),
        ({"data": "chữ"}, [None]),
        ({"data": 5}, [None]),
        ({"data": ROW | {"dossierNo": {"applicantName": "GIẢ"}, "dossierId": 10**30}}, [10**30]),
    ],
)
def test_a_list_is_read_in_every_shape_that_the_server_gives_it(data: dict[str, Any], ids: list[Any]) -> None:
    listing = read_listing(json.dumps({"total": "3"} | data).encode())
    assert listing.total == 3
    assert [row and row.dossier_id for row in listing.rows] == ids
    assert "GIẢ" not in str(listing.rows)


@pytest.mark.parametrize("answer", ["{}", "[]", "null", '"No Content."', '{"total": "nhiều"}', '{"total": 1e999}'])
def test_an_answer_without_a_total_is_seen(answer: str) -> None:
    assert read_listing(answer.encode()).total is None


@pytest.mark.parametrize("body", ["", '{"total": 3, "data": [{"dos', "<html/>"])
def test_what_is_not_json_is_an_error(body: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_listing(body.encode())


@pytest.mark.parametrize("body", ["No Content.", " ", "null", "[]", '"x"'])
def test_no_record_is_no_dossier(body: str) -> None:
    assert read_detail(body.encode()) is None


def test_a_later_extend_date_is_a_new_appointment_and_an_earlier_one_is_nothing() -> None:
    moved = one(extendDate="12/11/2026 08:15:00")
    assert (moved["due_original"], moved["due_current"]) == (at(9), at(12))
    early = one(extendDate="05/11/2026 10:00:00", releaseDate="05/11/2026 10:00:00")
    assert (early["due_original"], early["due_current"], early["finished_at"]) == (None, at(9), at(5, 10, 0))


def test_release_ends_processing_and_finish_hands_over() -> None:
    both = one(releaseDate="05/11/2026 10:00:00", finishDate="06/11/2026 09:00:00")
    assert (both["finished_at"], both["delivered_at"]) == (at(5, 10, 0), at(6, 9, 0))
    assert one(finishDate="06/11/2026 09:00:00")["finished_at"] == at(6, 9, 0)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"dossierStatus": "receiving", "dossierSubStatus": "", "receiveDate": ""}, 1),
        ({"dossierStatus": "receiving", "dossierSubStatus": ""}, 2),
        ({"dossierStatus": "denied", "dossierSubStatus": ""}, 3),
        ({"dossierStatus": "waiting", "dossierSubStatus": ""}, 5),
        ({"dossierStatus": "paying", "dossierSubStatus": ""}, 6),
        ({"dossierStatus": "done", "dossierSubStatus": ""}, 10),
        ({"dossierStatus": "lạ", "dossierSubStatus": ""}, None),
    ],
)
def test_statuses(changes: dict[str, Any], status: int | None) -> None:
    record = one(**changes)
    assert record["status"] == status
    assert record["source_status"] == changes["dossierStatus"]


def test_a_site_maps_its_own_statuses_and_sub_statuses() -> None:
    records = normalise(
        ROW | {"dossierStatus": "lạ"}, ROW | {"dossierSubStatus": "processing_3"}, statuses={"lạ": 8, "processing_3": 5}
    ).records
    assert records["status"].to_list() == [8, 5]


@pytest.mark.parametrize(
    ("changes", "channel"),
    [
        ({"online": "true"}, "online"),
        ({"online": True}, "online"),
        ({"viaPostal": 2}, "postal"),
        ({"viaPostal": 1}, "direct"),
        ({"fromViaPostal": "1"}, "postal"),
    ],
)
def test_channels(changes: dict[str, Any], channel: str) -> None:
    assert one(**changes)["channel"] == channel


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Quá 5 ngày", "late"), ("Còn 2 ngày", "on_time"), ("Đúng hạn", "on_time"), ("Tạm dừng xử lý", None), ("", None)],
)
def test_the_opinion_of_the_source_is_kept_apart(text: str, verdict: str | None) -> None:
    assert one(dossierOverdue=text)["source_verdict"] == verdict


@pytest.mark.parametrize(
    "value",
    ["2026-11-09 08:15:00", "9/11/2026 8:15:00", "31/02/2026 08:15:00", "09/11/2026", "09/11/1026 08:15:00", 1793000],
)
def test_a_bad_date_rejects_its_record_alone(value: Any) -> None:
    batch = normalise(ROW, ROW | {"dossierId": 8, "dueDate": value}, ROW | {"dossierId": 9})
    assert batch.records["source_key"].to_list() == ["55001/7", "55001/9"]
    assert batch.rows_read == 3
    (reject,) = batch.rejects
    assert (reject.row, reject.column, reject.value) == (2, "dueDate", str(value))
    assert reject.location == "rest/v2/dossiers?start=0"


@pytest.mark.parametrize("year", [1999, 2000, 2099, 2100])
def test_a_year_is_of_this_century(year: int) -> None:
    batch = normalise(ROW | {"dueDate": f"09/11/{year} 08:15:00"})
    assert (batch.records.height, len(batch.rejects)) == ((1, 0) if 2000 <= year <= 2099 else (0, 1))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([200, "2 00 ", ""], ["200", "2 00", None]),
        (["", 200, True], [None, "200", "true"]),
        ([True, False, 1], ["true", "false", "1"]),
        ([10**30, 5, None], [str(10**30), "5", None]),
        ([True, False, True], ["true", "false", "true"]),
        ([1.5, "x", 2], ["1.5", "x", "2"]),
    ],
)
def test_texts_come_as_numbers_and_otherwise(values: list[Any], told: list[str | None]) -> None:
    rows = [ROW | {"dossierId": number, "stepCode": value} for number, value in enumerate(values, 1)]
    assert normalise(*rows).records["step_code"].to_list() == told


def test_a_row_that_names_no_dossier_is_rejected_without_its_contents() -> None:
    batch = normalise({"applicantName": "NGUYỄN GIẢ", "groupId": 55001}, "chữ", ROW)
    assert batch.records.height == 1
    assert [(reject.row, reject.column) for reject in batch.rejects] == [(1, "dossierId"), (2, None)]
    assert "GIẢ" not in str(batch.rejects)


PERSONAL = (
    *("applicantName", "applicantIdType", "applicantIdNo", "applicantIdDate", "applicantNote", "userId", "userName"),
    *("address", "cityCode", "cityName", "districtCode", "districtName", "wardCode", "wardName", "contactName"),
    *("contactTelNo", "contactEmail", "delegateType", "delegateName", "delegateIdNo", "delegateTelNo", "delegateEmail"),
    *("delegateAddress", "delegateCityCode", "delegateCityName", "delegateDistrictCode", "delegateWardName"),
    *(
        "postalAddress",
        "postalTelNo",
        "postalServiceCode",
        "hasPassword",
        "password",
        "secret",
        "secretCode",
        "metaData",
    ),
    *("lastActionUser", "lastActionUserId", "lastActionNote", "lastActionName", "currentActionUser", "assigned"),
    *("dossierNote", "submissionNote", "briefNote", "dossierName", "dossierTemplateName", "documentNo", "certNo"),
    *("originDossierNo", "dossierIdCTN", "serverNo", "visited", "permission", "khac"),
)


@pytest.mark.parametrize("key", [None, b"khoa"])
@pytest.mark.parametrize("value", ["NGUYỄN GIẢ 0888", 888888888, {"ten": "NGUYỄN GIẢ 0888"}, ["NGUYỄN GIẢ 0888"]])
def test_no_field_but_the_whitelisted_survives_the_edge(value: Any, key: bytes | None) -> None:
    row = ROW | dict.fromkeys(PERSONAL, value)
    (read,) = read_listing(json.dumps({"total": 1, "data": [row]}).encode()).rows
    told = kept(read, key)
    hashed = {"applicantHash": applicant_hash(value, key)} if key and not isinstance(value, dict | list) else {}
    assert {name: item for name, item in zip(FIELDS, told, strict=True) if item is not None} == ROW | hashed
    batch = connector().normalise(Page({"rows": [told, ()]}, "x"))
    assert (batch.records.height, len(batch.rejects)) == (1, 1)
    assert not re.search("GIẢ|888888888", f"{told} {batch.records.write_csv()} {batch.rejects}")
    assert kept(read_detail(json.dumps(row).encode()), key) == told


def test_the_hash_is_hmac_sha256() -> None:
    for key in (b"k", b"khoa" * 30):
        assert applicant_hash("0085 000001", key) == hmac.new(key, b"85000001", hashlib.sha256).hexdigest()


def test_the_applicant_hash_survives_lost_zeros_and_needs_a_number() -> None:
    assert applicant_hash("001085000001", b"k") == applicant_hash(1085000001, b"k")
    assert applicant_hash("001085000001", b"k") != applicant_hash("001085000001", b"other")
    assert applicant_hash("", b"k") is applicant_hash(None, b"k") is applicant_hash("000", b"k") is None


def action(at_ms: int, step: Any, before: Any, state: int = 1) -> dict[str, Any]:
    return {"createDate": at_ms, "stepCode": step, "fromStepCode": before, "state": state, "actionUser": "GIẢ"}


def test_supplements_are_counted_from_the_history() -> None:
    answer = {
        "data": [
            {"actions": [action(1, 200, ""), action(2, 201, 200), action(6, "201", "200"), action(6, 201, 200)]},
            {"actions": [action(3, 201, 201), action(4, 200, 201), action(5, 201, 200, state=2)]},
        ]
    }
    assert read_history(answer, ("201",)) == History(2, 6, None)
    answer["data"].append({"actions": [action(9, 300, 201)]})
    assert read_history(answer, ("201",)) == History(2, 6, 9)
    assert read_history(answer, ("131",)) == History(0)


@pytest.mark.parametrize("answer", [None, [], {}, {"data": ""}, {"data": {"actions": {"createDate": "?"}}}])
def test_an_odd_history_has_no_supplements(answer: Any) -> None:
    assert read_history(answer, ("201",)) == History(0)


def test_supplements_reach_the_record() -> None:
    start, end = int(at(3).timestamp()) * 1000, int(at(4).timestamp()) * 1000
    batch = normalise(
        *(ROW, ROW | {"dossierId": 8}, ROW | {"dossierId": 9}),
        histories={"7": [2, start, end, 5, start, end, end], "8": None, "9": History().packed()},
    )
    assert batch.records["supplement_count"].to_list() == [2, None, 0]
    assert batch.records["supplement_requested_at"].to_list() == [at(3), None, None]
    assert batch.records["supplement_completed_at"].to_list() == [at(4), None, None]
    assert batch.records["steps_done"].to_list() == [5, None, 0]
    for name, expected in (("first_step_at", at(3)), ("last_step_at", at(4)), ("step_started_at", at(4))):
        assert batch.records[name].to_list() == [expected, None, None]


def test_steps_are_moves_after_the_reception_that_were_not_rolled_back() -> None:
    moves = [(9_000, 110, ""), (10_400, 120, 110), (11_000, 200, 120), (90_000, 300, 200), (95_000, 300, 300)]
    answer = {"data": [{"actions": [*(action(*move) for move in moves), action(99_000, 400, 300, state=2)]}]}
    read = read_history(answer, (), received_ms=10_000, step="300")
    assert (read.steps, read.first_ms, read.last_ms, read.entered_ms) == (3, 11_000, 95_000, 90_000)
    not_received = read_history(answer, (), step="400")
    assert (not_received.steps, not_received.first_ms, not_received.last_ms) == (0, None, None)
    assert not_received.entered_ms is None, "the move to the step it is at is not in the history"


def test_a_part_names_the_dossier_that_it_belongs_to() -> None:
    rows = [ROW | {"dossierId": number, "originDossierId": of} for number, of in enumerate((0, "0", "", 41, "42"), 1)]
    parents = normalise(*rows).records["parent_key"].to_list()
    assert parents == [None, None, None, f"{ROW['groupId']}/41", f"{ROW['groupId']}/42"]


def test_a_request_to_withdraw_is_kept() -> None:
    records = normalise(ROW | {"cancellingDate": "05/03/2026 09:30:00"}, ROW | {"dossierId": 8, "cancellingDate": ""})
    assert records.records["stop_requested_at"].to_list() == [datetime(2026, 3, 5, 2, 30, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "motcua.example"}, "not an http or https address"),
        ({"url": "https://a:b@motcua.example/o"}, "move them to username"),
        ({"url": "https://motcua.example/o?x=1"}, "leave them out"),
        ({"zone": "Asia/Sai_Gon_Cu"}, "no time zone is called"),
        ({"password_file": "p"}, "exactly one of password"),
        ({"page_size": 500, "max_hits": 100}, "larger than max_hits"),
        ({"statuses": {"lạ": 11}}, "statuses"),
        ({"khong_co": 1}, "khong_co"),
    ],
)
def test_bad_options_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OpencpsOptions(**(BASE | changes))


def test_no_secret_is_shown() -> None:
    options = OpencpsOptions(**(BASE | {"password": "mat-khau-rat-bi-mat"}))
    assert "mat-khau" not in repr(options) + str(options) + json.dumps(options.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("changes", "is_asked_for"),
    [
        ({}, True),
        ({"groupId": "55001"}, True),
        ({"groupId": ""}, True),
        ({"groupId": 55002}, False),
        ({"systemId": 5}, True),
        ({"systemId": "3"}, False),
        ({"originality": -3}, False),
        ({"originality": 9}, False),
        ({"govAgencyCode": "H99.06"}, False),
        ({"dossierStatus": "done"}, False),
    ],
)
def test_rows_that_were_not_asked_for_are_left_out(changes: dict[str, Any], is_asked_for: bool) -> None:
    membership = Membership(OpencpsOptions(**BASE, agencies=["H99.05"]))
    row = read_detail(json.dumps(ROW | changes).encode())
    assert row is not None
    for _ in range(2):
        assert membership.has(row, ("processing", "waiting")) == is_asked_for


def test_many_rows_are_tried_as_one_by_one() -> None:
    membership = Membership(OpencpsOptions(**BASE, agencies=["H99.05"]))
    wanted, other, ended = (
        read_detail(json.dumps(ROW | changes).encode())
        for changes in ({}, {"govAgencyCode": "H99.06"}, {"dossierStatus": "done"})
    )
    for _ in range(2):
        assert list(membership.places([wanted, None, other, ended], ("processing",))) == [0, 1]
        assert list(membership.places([wanted, wanted], ("processing",))) == [0, 1]
        assert list(membership.places([ended, other])) == [0]


def test_how_the_server_is_asked_does_not_make_a_pull_begin_anew() -> None:
    plain = OpencpsOptions(**BASE)
    manners = {
        "history_workers": 9,
        "requests_per_second": 2,
        "proxy": "http://p.example",
        "attempts": 2,
        "page_size": 9,
    }
    asked_otherwise = OpencpsOptions(**BASE, **manners)
    assert asked_otherwise.workers == 9
    assert scope_of(plain, None) == scope_of(asked_otherwise, None)
    assert scope_of(plain, None) != scope_of(OpencpsOptions(**BASE, system_ids=["0"]), None)
