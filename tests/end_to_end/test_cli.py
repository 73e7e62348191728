"""The program as people run it: a process, a configuration file, an exit code and what it says."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from sqlalchemy import Engine, text

from tests.end_to_end.program import ENOUGH, PROGRAM, Ran, environment, run, run_afresh
from tests.postgres.test_ledger import START, record, take
from tests.shared_data import shared

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter: as root, PostgreSQL runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="tthc-cli-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def configure(folder: Path, *parts: str) -> Path:
    """The configuration file in a folder, found without being named."""
    path = folder / "tthc-monitor.yaml"
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def postgres_of(folder: Path) -> list[str]:
    """Command lines of server processes whose data lie in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "postgres" in command and str(folder) in command:
            found.append(command)
    return found


# -- real data, from the file to the verdict ------------------------------------------------------------------------


def test_boston_from_the_file_to_the_verdicts_of_the_city(folder: Path) -> None:
    variables = {"BOSTON311_CSV": str(shared("boston311_2015q1/cases.csv.gz"))}
    configure(folder, (EXAMPLES / "boston311/tthc-monitor.yaml").read_text("utf-8"), "data_dir: data")

    assert "1 sources" in run("check", cwd=folder, **variables).good().out
    assert "✓" in run("sources", "test", "boston311", cwd=folder, **variables).good().out
    first = run_afresh("pull", cwd=folder, **variables).good()
    assert "boston311: 26788 rows read, 0 rejected, 26788 new, 0 changed" in first.out
    assert "26788 rows read, 0 rejected, 0 new, 0 changed" in run("pull", cwd=folder, **variables).good().out

    instant = "2016-01-12T22:22:40-05:00"
    export = ("flags", "export", "--as-of", instant)
    table = pl.read_csv(io.StringIO(run(*export, cwd=folder, **variables).good().out), infer_schema_length=None)
    assert table.height == 26_788

    with_target = table.filter(pl.col("due_current").is_not_null() & pl.col("source_verdict").is_not_null())
    closed = with_target.filter(pl.col("ended_at").is_not_null())
    assert closed.height == 14_867
    assert closed.filter(pl.col("verdict") != pl.col("source_verdict")).is_empty()
    opened = with_target.filter(pl.col("ended_at").is_null())
    ours = pl.col("verdict").replace_strict({"open_overdue": "late", "open_in_time": "on_time"}, default="?")
    assert opened.height > 100
    assert opened.filter(ours != pl.col("source_verdict")).height <= 1
    without = table.filter(pl.col("due_current").is_null())
    assert without.height == 8_645
    assert set(without["verdict"]) == {"cannot_tell"}

    objects = json.loads(run(*export, "--format", "json", cwd=folder, **variables).good().out)
    assert [one["verdict"] for one in objects] == table["verdict"].to_list()
    assert {one["source_key"]: one["late_seconds"] for one in objects if one["late_seconds"]} == {
        str(key): seconds for key, seconds in table.select("source_key", "late_seconds").iter_rows() if seconds
    }
    assert postgres_of(folder) == [], "a command leaves no server behind"


@pytest.mark.parametrize(("due", "late"), [("start_of_day", 505), ("end_of_day", 433)])
def test_st_louis_depends_on_what_a_due_date_means(folder: Path, database_address: str, due: str, late: int) -> None:
    variables = {"STLOUIS_CSV": str(shared("stlouis_csb_2018/january_2018.csv.gz")), "STLOUIS_DUE": due}
    example = (EXAMPLES / "stlouis/tthc-monitor.yaml").read_text("utf-8")
    configure(folder, example, f"database: {{url: '{database_address}'}}")
    assert "1532 new" in run("pull", cwd=folder, **variables).good().out
    out = folder / "verdicts.csv"
    run("flags", "export", "--out", out, cwd=folder, **variables).good()
    verdicts = pl.read_csv(out)["verdict"].to_list()
    assert (len(verdicts), verdicts.count("late")) == (1_532, late)


# -- what is wrong is said once, with a remedy ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def assert_one_message(ran: Ran, code: int, *said: str) -> None:
    assert "Traceback" not in ran.err
    assert ran.code == code, ran.err
    messages = [line for line in ran.err.splitlines() if line.startswith("tthc-monitor: ")]
    assert len(messages) == 1, ran.err
    for words in said:
        assert re.search(words, messages[0]), messages[0]
    assert ";" in messages[0], f"no remedy: {messages[0]}"
    assert ran.out == ""


def test_check_names_every_file_of_the_report_that_cannot_be_used(folder: Path) -> None:
    names = {key: f"{key}.sai" for key in ("causes_file", "heads_file", "indices_file", "template")}
    (folder / "tthc-monitor.yaml").write_text(json.dumps({"report": names}), encoding="utf-8")
    for name in names.values():
        (folder / name).write_text("[", encoding="utf-8")
    ran = run("check", cwd=folder)
    assert ran.code == 2 and all(name in ran.err for name in names.values()), ran.err


@pytest.mark.parametrize(
    ("config", "command", "said"),
    [
        ("{}", "flags export --as-of 2026-10-14T17:00:00", "has no zone; add the offset, as in .*07:00"),
        ("{}", "flags export --as-of yesterday", "not an instant; write it as 2026-10-14T17:00:00.07:00$"),
        ("{}", "flags export --as-of 2026-10-16", "a day without a time; write it as 2026-10-16T00:00:00.07:00$"),
        ("{}", "flags export --as-of 2026-10-16+07:00", "is not an instant; write it as 2026-10-16T00:00:00.07:00$"),
        ("{}", "flags export --as-of 2026-10-16Z", "is not an instant; write it as 2026-10-16T00:00:00.07:00$"),
        ("{}", "flags export --as-of 2026-W42-5", "is not an instant; write it as 2026-10-14T17:00:00.07:00$"),
        ("{}", "flags export --as-of 0001-01-01T00:00:00+14:00", "out of range; give one from 1900 to 2200"),
        ("{}", "flags export --as-of 9999-12-31T23:00:00-05:00", "out of range; give one from 1900 to 2200"),
        ("{}", "-c nowhere.yaml check", "nowhere.yaml does not exist; name the configuration with --config"),
        ("serve: {prot: 1}", "check", r"tthc-monitor\.yaml:1: unknown key 'serve.prot'; remove it"),
        ("serve:\n  port: 1\nserve: {}", "check", r"yaml:3: key 'serve' stands already on line 1; remove"),
        ("serve: [", "check", r"yaml:1: not valid YAML.*; correct the syntax"),
        ("rules: {packs: [own.yaml]}", "check", "own.yaml cannot be read.*; correct rules.packs"),
        ("calendar: xx", "check", "calendar 'xx' is not shipped; use vn"),
        ("sources: [{name: a, kind: fax}]", "check", r"yaml:1: unknown connector kind 'fax'; use one of"),
        ("sources: [{name: a, kind: files, options: {pth: x}}]", "check", r"unknown key 'pth'; remove it"),
        (
            "sources: [{name: a, kind: opencps, receive: {token_env: PATH}, "
            "options: {url: 'http://127.0.0.1:9', group_id: '1', username: u, password: p}}]",
            "check",
            "takes neither messages nor files; remove the part",
        ),
        ("{}", "pull", "names no sources; add one"),
        ("{}", "pull nobody", "there is no source 'nobody' in .*; the sources are: none"),
        ("{}", "sources test nobody", "there is no source 'nobody'"),
        ("{}", "sources rejects nobody", "there is no source 'nobody'"),
        ("{}", "report monthly --period 2026-13", "2026-13"),
        ("database: {url: 'mysql://a:bi-mat@b/c'}", "db status", "only PostgreSQL 15 or later"),
        ("database: {url: rac}", "db status", "not a database address; write it as"),
    ],
    ids=lambda value: value[:40],
)
def test_what_must_be_changed_is_said_once(folder: Path, config: str, command: str, said: str) -> None:
    configure(folder, config)
    ran = run(*command.split(), cwd=folder)
    message = [line for line in ran.err.splitlines() if line.startswith("tthc-monitor: ")]
    assert "Traceback" not in ran.err and "bi-mat" not in ran.err
    assert (ran.code, len(message), ran.out) == (2, 1, ""), ran.err
    assert re.search(said, ran.err), ran.err


def test_all_problems_of_a_configuration_are_told_at_once(folder: Path) -> None:
    configure(folder, "serve: {prot: 1}\ndigest: {at: noon}\n")
    ran = run("check", cwd=folder)
    assert ran.code == 2
    assert re.search(r"yaml:1: .*prot.*\n.*yaml:2: .*digest\.at", ran.err), ran.err


def test_check_tells_what_is_wrong_with_sources_key_mail_and_rules_at_once(folder: Path) -> None:
    configure(
        folder,
        """
applicant_key_file: khoa
rules: {packs: [core, own.yaml]}
sources:
  - {name: mot, kind: fax}
  - {name: hai, kind: files, options: {pth: x}}
  - {name: ba, kind: opencps, options: {url: not-one}}
smtp: {host: thu.example.vn, sender: a@mau.example.vn, username: a, password_file: mat-khau}
report: {heads_file: nguoi.csv}
digest:
  transport: smtp
  recipients:
    - {address: a@mau.example.vn}
    - {address: A@mau.example.vn, units: [x]}
""",
    )
    ran = run("check", cwd=folder)
    assert (ran.code, ran.out) == (2, "") and "Traceback" not in ran.err
    for said in (
        "applicant_key_file .*khoa cannot be read.*; make it",
        "report.heads_file .*nguoi.csv cannot be read.*; correct the path",
        "own.yaml cannot be read.*; correct rules.packs",
        r"yaml:\d+: unknown connector kind 'fax'; use one of",
        r"yaml:6: unknown key '(.*\.)?pth'; remove it",
        r"yaml:7: .*url",
        "smtp.password_file .*mat-khau cannot be read.*; make it readable",
        r"yaml:14: recipient 'A@mau.example.vn' stands twice .*; remove one",
    ):
        assert len(re.findall(said, ran.err)) == 1, (said, ran.err)


def test_a_database_that_does_not_answer_is_code_6(folder: Path, closed_port: int) -> None:
    configure(folder, f"database: {{url: 'postgresql://ai:bi-mat@127.0.0.1:{closed_port}/ten'}}")
    ran = run("db", "status", cwd=folder)
    assert_one_message(ran, 6, "cannot be reached", "check that it runs, then database.url")
    assert "bi-mat" not in ran.err


@pytest.mark.parametrize("command", ["flags export", "jobs list", "evaluate", "serve"])
def test_a_database_that_waits_for_its_upgrade_is_code_6(folder: Path, empty_database: str, command: str) -> None:
    configure(folder, f"database: {{url: '{empty_database}'}}")
    assert_one_message(run(*command.split(), cwd=folder), 6, "run: tthc-monitor db upgrade$")


def test_the_upgrade_that_was_asked_for_mends_it(folder: Path, empty_database: str) -> None:
    configure(folder, f"database: {{url: '{empty_database}'}}")
    assert "none" in run("db", "status", cwd=folder).good().out
    upgraded = run("db", "upgrade", cwd=folder).good().out
    assert run("db", "upgrade", cwd=folder).good().out == upgraded
    assert "source,source_key" in run("flags", "export", cwd=folder).good().out


def test_a_port_in_use_is_said_by_the_service(folder: Path, database_address: str, taken_port: int) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}\nserve: {{port: {taken_port}}}")
    assert_one_message(run("serve", cwd=folder), 9, f"cannot listen on 127.0.0.1:{taken_port}", "another serve.port")


def test_a_port_in_use_is_said_by_the_demo_which_leaves_nothing(folder: Path, taken_port: int) -> None:
    ran = run("demo", "--port", taken_port, cwd=folder, TMPDIR=str(folder))
    assert_one_message(ran, 9, f"cannot listen on 127.0.0.1:{taken_port}", "choose another|stop what uses it")
    assert list(folder.iterdir()) == []
    assert postgres_of(folder) == []


def test_an_auditor_of_the_embedded_server_is_told_where_it_answers(folder: Path) -> None:
    configure(folder, "data_dir: data")
    ran = run("db", "auditor", "thanh_tra", cwd=folder).good()
    assert re.fullmatch(r"postgresql://thanh_tra:\S+@127\.0\.0\.1:\d+/tthc\n", ran.out)
    assert (
        "on this machine only (127.0.0.1), and while `tthc-monitor serve` runs; for auditors at other desks" in ran.err
    )


def test_a_role_name_that_is_none_is_refused(folder: Path, database_address: str) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}")
    assert_one_message(run("db", "auditor", "Kiểm toán", cwd=folder), 2, "is not a role name; use lower-case letters")


CSV_SOURCE = """
sources:
  - name: thu
    kind: files
    options:
      path: ho-so.csv
      zone: Asia/Ho_Chi_Minh
      columns:
        source_key: ma
        received_at: {column: nhan, format: "%d/%m/%Y"}
        due_current: {column: hen, format: "%d/%m/%Y"}
"""
GOOD_ROWS = "".join(f"{number},02/01/2026,09/01/2026\n" for number in range(10))


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (("ma,nhan,hen\n" + "1,31/02/2026,xx\n" * 10).encode(), 5, "rejected.*sources rejects"),
        (b"so,ngay\n1,2\n", 2, "column"),
        (b"\x00\x01\x02\xff\xfe" * 500, 4, "not utf-8.*set csv.encoding"),
        (gzip.compress(("ma,nhan,hen\n" + GOOD_ROWS).encode())[:40], 4, "ho-so.csv"),
        (b"", 4, "the file is empty; export it again"),
        (None, 4, "ho-so.csv"),
    ],
    ids=["nothing but rejects", "other columns", "rubbish", "cut gzip", "empty", "missing"],
)
def test_a_source_file_that_is_wrong_is_said_and_changes_nothing(
    folder: Path, engine: Engine, database_address: str, content: bytes | None, code: int, said: str
) -> None:
    configure(folder, CSV_SOURCE, f"database: {{url: '{database_address}'}}")
    (folder / "ho-so.csv").write_bytes(("ma,nhan,hen\n" + GOOD_ROWS).encode())
    assert "10 new" in run("pull", cwd=folder).good().out
    if content is None:
        (folder / "ho-so.csv").unlink()
    else:
        (folder / "ho-so.csv").write_bytes(content)
    ran = run("pull", cwd=folder)
    assert "Traceback" not in ran.err
    told = [line for line in ran.err.splitlines() if line.startswith("thu: ")]
    assert (ran.code, len(told)) == (code, 1), ran.err
    assert re.search(said, told[0]), told[0]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit.verdicts_now")) == 10


def test_a_long_error_of_a_source_keeps_its_remedy_on_its_line(folder: Path, database_address: str) -> None:
    name = "-".join(["ho-so-cua-tat-ca-cac-don-vi"] * 4) + ".csv"
    configure(folder, CSV_SOURCE.replace("ho-so.csv", name), f"database: {{url: '{database_address}'}}")
    (folder / name).write_bytes(b"\x00\x01\x02\xff\xfe" * 500)
    ran = run("pull", cwd=folder)
    assert ran.code == 4
    assert re.search(rf"^thu: .*{name}.*not utf-8.*set csv\.encoding", ran.err, flags=re.MULTILINE), ran.err


def test_a_status_that_nobody_mapped_is_told(folder: Path, database_address: str) -> None:
    mapped = (CSV_SOURCE + "      statuses: {xong: 9}\n").replace(
        "source_key: ma", "source_key: ma\n        status: {column: tt, lookup: statuses}"
    )
    configure(folder, mapped, f"database: {{url: '{database_address}'}}")
    content = "ma,nhan,hen,tt\n" + "".join(f"{n},02/01/2026,09/01/2026,xong\n" for n in range(10))
    (folder / "ho-so.csv").write_text(content, encoding="utf-8")
    assert "mapped" not in run("pull", cwd=folder).good().out
    (folder / "ho-so.csv").write_text(content + "x,02/01/2026,09/01/2026,lạ\n", encoding="utf-8")
    assert "1 new, 0 changed, 1 with a status nobody mapped" in run("pull", cwd=folder).good().out


def test_what_waits_to_be_judged_is_judged_before_it_is_exported(
    folder: Path, engine: Engine, database_address: str
) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}")
    due = START + timedelta(days=30)
    take(engine, record("a", due_original=due, due_current=due))
    table = pl.read_csv(io.StringIO(run("flags", "export", cwd=folder).good().out))
    assert table["verdict"].to_list() == ["open_overdue"]


def test_sending_digests_tells_what_came_of_each(folder: Path, database_address: str) -> None:
    people = "[{address: a@mau.example.vn}, {address: b@mau.example.vn}]"
    digest = f"digest: {{transport: directory, directory: thu, recipients: {people}}}"
    configure(folder, f"database: {{url: '{database_address}'}}", "data_dir: .", digest)
    sent = run("digest", "send", "--on-days-off", cwd=folder).good().out.splitlines()
    assert sent == ["a@mau.example.vn: sent", "b@mau.example.vn: sent"]
    again = run("digest", "send", "--on-days-off", cwd=folder).good().out.splitlines()
    assert again == ["a@mau.example.vn: already sent today", "b@mau.example.vn: already sent today"]
    assert len(list((folder / "thu").glob("*.eml"))) == 2


def test_a_digest_not_delivered_is_told_and_goes_out_once_the_cause_is_mended(
    folder: Path, database_address: str
) -> None:
    digest = "digest: {transport: directory, directory: thu, recipients: [{address: a@mau.example.vn}]}"
    configure(folder, f"database: {{url: '{database_address}'}}", "data_dir: .", digest)
    (folder / "thu").write_text("in the way", encoding="utf-8")
    ran = run("digest", "send", "--on-days-off", cwd=folder)
    assert ran.code == 7 and ran.out.startswith("a@mau.example.vn: not delivered: the mail folder ")
    assert "1 of 1 digests were not delivered" in ran.err and "Traceback" not in ran.err
    (folder / "thu").unlink()
    assert run("digest", "send", "--on-days-off", cwd=folder).good().out == "a@mau.example.vn: sent\n"


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ("{}", "digest.transport is none, so no digest is sent; set it"),
        ("{transport: directory}", "digest.recipients names nobody to send a digest to; add"),
    ],
)
def test_a_digest_for_nobody_is_said(folder: Path, database_address: str, digest: str, said: str) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}", f"digest: {digest}")
    assert_one_message(run("digest", "send", "--on-days-off", cwd=folder), 2, said)


def test_reports_of_one_month_stand_beside_each_other(folder: Path, database_address: str) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}")
    month = ("report", "monthly", "--period", "2026-01", "--out", folder / "ra")
    written = {run(*month, "--kind", kind, cwd=folder).good().out.strip() for kind in ("calendar", "nd09")}
    assert {Path(path).name for path in written} == {"bao-cao-tthc-2026-01.xlsx", "bao-cao-tthc-nd09-2026-01.xlsx"}
    assert len(list((folder / "ra").iterdir())) == 2
    ran = run(*month, "--unit", "../../x", cwd=folder)
    assert_one_message(ran, 2, r"has named a unit '../../x' so far; correct the code")


def test_rejects_are_shown_with_place_and_reason(folder: Path, database_address: str) -> None:
    configure(
        folder,
        CSV_SOURCE.replace("options:", "max_reject_share: 0.5\n    options:"),
        f"database: {{url: '{database_address}'}}",
    )
    (folder / "ho-so.csv").write_text(f"ma,nhan,hen\n{GOOD_ROWS}x,31/02/2026,09/01/2026\n", encoding="utf-8")
    assert "11 rows read, 1 rejected, 10 new" in run("pull", cwd=folder).good().out
    shown = run("sources", "rejects", "thu", cwd=folder).good().out
    assert re.search(r"ho-so\.csv\s*│\s*12\s*│\s*(nhan|received_at)\s*│\s*31/02/2026", shown), shown
    listed = run("sources", "list", cwd=folder).good().out
    assert re.search(r"thu\s*│\s*files\s*│\s*0:10:00\s*│.*│\s*ok\s*│\s*11\s*│\s*1\s", listed), listed


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        ("flags export --out nothing/here/x.csv", {2}),
        ("digest preview --out file/x", {2, 7}),
        ("report monthly --period 2026-01 --out file/x", {2, 7}),
    ],
)
def test_an_output_that_cannot_be_written_is_said(
    folder: Path, database_address: str, command: str, codes: set[int]
) -> None:
    digest = "digest: {transport: directory, recipients: [{address: van-phong@mau.example.vn}]}"
    configure(folder, f"database: {{url: '{database_address}'}}", digest)
    (folder / "file").write_text("in the way", encoding="utf-8")
    ran = run(*command.split(), cwd=folder)
    assert ran.code in codes, ran.err
    assert_one_message(ran, ran.code, "nothing/here/x.csv|file/x")


def test_a_digest_is_rendered_even_when_nobody_is_to_get_it(folder: Path, database_address: str) -> None:
    configure(folder, f"database: {{url: '{database_address}'}}")
    written = run("digest", "preview", "--out", folder / "ra", cwd=folder).good().out.split()
    assert [Path(path).suffix for path in written] == [".html"]
    assert "Toàn bộ đơn vị" in Path(written[0]).read_text("utf-8")


def test_a_demo_that_cannot_write_its_files_is_said(folder: Path) -> None:
    (folder / "file").write_text("in the way", encoding="utf-8")
    ran = run("demo", "--once", "--out", "file/x", cwd=folder, TMPDIR=str(folder))
    assert_one_message(ran, 2, "--out file/x cannot be made")
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert postgres_of(folder) == []


# -- the demonstration ----------------------------------------------------------------------------------------------


def test_one_round_of_the_demo_leaves_three_files_and_nothing_else(folder: Path) -> None:
    out = folder / "ra"
    ran = run("demo", "--once", "--out", out, "--port", "0", cwd=folder, TMPDIR=str(folder)).good()
    assert sorted(path.name for path in out.iterdir()) == ["digest.html", "metrics.txt", "report.xlsx"]
    assert all(path.stat().st_size > 1_000 for path in out.iterdir())
    assert all(path.name in ran.err for path in out.iterdir())
    assert "tthc_dossiers_overdue{" in (out / "metrics.txt").read_text("utf-8")
    assert [path.name for path in folder.iterdir()] == ["ra"], "its data folder is gone"
    assert postgres_of(folder) == []


@contextmanager
def running(
    *arguments: object, cwd: Path, program: Path | str = PROGRAM, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A command that goes on, and the lines that it says on standard error as they come."""
    lines: list[str] = []
    with subprocess.Popen(
        [str(program), *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=lambda stream: lines.extend(iter(stream.readline, "")), args=[process.stderr])
        reader.start()
        try:
            yield process, lines
        finally:
            process.kill()
            reader.join(10)


def said(lines: list[str], pattern: str, process: subprocess.Popen[str]) -> str:
    """What the pattern's group caught in the first line that has it."""
    deadline = time.monotonic() + ENOUGH
    while time.monotonic() < deadline:
        for line in list(lines):
            if found := re.search(pattern, line):
                return found[1]
        assert process.poll() is None, lines
        time.sleep(0.05)
    raise AssertionError(f"{pattern} was not said: {lines}")


def test_the_live_demo_shows_its_pages_and_ends_clean_with_ctrl_c(folder: Path) -> None:
    with running("demo", "--port", "0", cwd=folder, TMPDIR=str(folder)) as (process, lines):
        url = said(lines, r"metrics\s+(http://\S+)/metrics", process)
        said(lines, r"(Ctrl-C)", process)
        assert postgres_of(folder)
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            assert client.get("/-/ready").text == "ready\n"
            assert client.get("/-/healthy").status_code == 200
            assert "Tỉnh Mẫu" in client.get("/").text or "Sở" in client.get("/").text
            assert "tthc_dossiers_open{" in client.get("/metrics").text
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, lines
    assert "Traceback" not in "".join(lines)
    assert list(folder.iterdir()) == [], "its data folder is gone"
    assert postgres_of(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_service_pulls_by_itself_and_ends_clean(folder: Path, database_address: str, number: int) -> None:
    configure(folder, CSV_SOURCE, f"database: {{url: '{database_address}'}}", "serve: {port: 0}")
    (folder / "ho-so.csv").write_text(f"ma,nhan,hen\n{GOOD_ROWS}", encoding="utf-8")
    with running("serve", cwd=folder) as (process, lines):
        url = said(lines, r'"url": "(http://[^"]+)"', process)
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            deadline = time.monotonic() + 30
            while 'tthc_source_last_run_rows{source="thu"} 10.0' not in client.get("/metrics").text:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(30) == 0, lines
    assert "Traceback" not in "".join(lines)


@pytest.fixture
def silent() -> Iterator[tuple[int, threading.Event]]:
    """A port that takes connections and never says a word, and whether anybody has asked."""
    asked, kept = threading.Event(), []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listening.accept()[0])
                    asked.set()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1]), asked
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    for connection in kept:
        connection.close()


def silent_source(port: int) -> str:
    options = f"{{url: 'http://127.0.0.1:{port}/o', group_id: 1, username: a, password: b, timeout_seconds: 300}}"
    return f"serve: {{port: 0}}\nsources: [{{name: lang, kind: opencps, options: {options}}}]"


@pytest.mark.parametrize(("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM)])
def test_a_second_signal_ends_the_service_though_a_source_does_not_answer(
    folder: Path, silent: tuple[int, threading.Event], first: int, second: int
) -> None:
    port, asked = silent
    configure(folder, silent_source(port), "data_dir: data")
    with running("serve", cwd=folder) as (process, lines):
        assert asked.wait(60), lines
        process.send_signal(first)
        said(lines, "(stopping)", process)
        time.sleep(1)
        assert process.poll() is None, "it waits for the pull at first"
        process.send_signal(second)
        process.send_signal(second)
        assert process.wait(20) == 130, lines
    assert "Traceback" not in "".join(lines), lines
    assert postgres_of(folder) == [], "its database was stopped on the way out"


def test_the_service_leaves_a_job_that_does_not_end(
    folder: Path, engine: Engine, database_address: str, silent: tuple[int, threading.Event]
) -> None:
    port, asked = silent
    configure(folder, silent_source(port), f"database: {{url: '{database_address}'}}")
    impatient = "from tthc_monitor import cli, scheduler; scheduler._PATIENCE_SECONDS = 1; cli.main()"
    with running("-c", impatient, "serve", cwd=folder, program=sys.executable) as (process, lines):
        assert asked.wait(60), lines
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, lines
    assert "Traceback" not in "".join(lines), lines
    assert re.search(r"jobs_left_running.*pull:lang|pull:lang.*jobs_left_running", "".join(lines)), lines
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit.dossiers")) == 0


def test_no_command_and_a_wrong_option_show_the_usage(folder: Path) -> None:
    for ran in (run_afresh(cwd=folder), run("flags", "export", "--format", "xml", cwd=folder)):
        assert ran.code == 2
        assert "Usage" in ran.out + ran.err
        assert "Traceback" not in ran.err
