"""One simulated province, told by every kind of source: what the tests of all kinds share.

Each :class:`Fed` is a real system of its kind, fed from the same world: an HTTP server, a database, files, an inbox.
``truth`` is what a connector without memory is told while nothing is wrong.
"""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Connector, Surroundings
from connectors.dvcqg import DvcqgConnector, DvcqgOptions
from connectors.files import FilesConnector, FilesOptions
from connectors.igate import IgateConnector, IgateOptions
from connectors.opencps import OpencpsConnector, OpencpsOptions
from connectors.rest import RestConnector, RestOptions
from connectors.sql import SqlConnector, SqlOptions, postgresql
from tthc_monitor.domain.messages import Message
from tthc_monitor.domain.records import OBSERVED_SCHEMA
from tthc_monitor.simulator.dvcqg_push import Pusher
from tthc_monitor.simulator.faults import Faults, FaultyWay
from tthc_monitor.simulator.igate_api import STATUS_NUMBERS
from tthc_monitor.simulator.igate_server import CLIENT, SimulatedIgate
from tthc_monitor.simulator.scripts import Dossier
from tthc_monitor.simulator.server import SimulatedServer
from tthc_monitor.simulator.serving import ServedApp
from tthc_monitor.simulator.world import World
from tthc_monitor.store.database import transaction
from tthc_monitor.store.inbox import StoredInbox, deliver

START = datetime(2026, 10, 20, 3, 0, tzinfo=UTC)
A_SHIFT = timedelta(hours=8)
"""Faults hit dossiers that were there so long ago already, and have been pulled."""
SEED = 41
DOSSIERS = 60
KEY = b"a key of tests alone"
Record = dict[str, Any]
States = dict[str, Record]
NATIONAL = {
    "receiving": 1, "processing": 4, "waiting": 5, "paying": 6, "releasing": 9, "posting": 9,
    "done": 10, "denied": 3, "unresolved": 8, "cancelled": 7,
}  # fmt: skip
"""National status of each status of the simulated system."""
FIELDS = ("so", "thu_tuc", "don_vi", "trang_thai", "nop", "nhan", "hen", "xong", "tra")
MAPPING: dict[str, Any] = {
    "zone": "Asia/Ho_Chi_Minh",
    "statuses": NATIONAL,
    "columns": {
        "source_key": "so",
        "code": "so",
        "procedure_code": "thu_tuc",
        "unit_code": "don_vi",
        "status": {"column": "trang_thai", "lookup": "statuses"},
        **{
            name: {"column": column, "format": "%Y-%m-%dT%H:%M:%S%z"}
            for name, column in (
                ("submitted_at", "nop"), ("received_at", "nhan"), ("due_current", "hen"), ("finished_at", "xong"),
                ("delivered_at", "tra"),
            )
        },
    },
}  # fmt: skip
"""The mapping of the kinds that have one."""


class Clock:
    """A clock set by hand, shared by the systems, the connectors and the pulls."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def world() -> World:
    """A small province; the same for every kind."""
    return World(SEED, START, dossiers=DOSSIERS, history_days=20)


def row_of(dossier: Dossier) -> dict[str, str]:
    """A dossier as a plain table has it."""

    def instant(moment: datetime | None) -> str:
        return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S%z}"

    script = dossier.script
    values = (
        str(script.dossier_id), script.procedure.code, script.unit.code, dossier.status, instant(script.submitted_at),
        instant(dossier.received_at), instant(dossier.due_at), instant(dossier.released_at), instant(dossier.finished_at),
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))


class Fed(Protocol):
    """A system of one kind.

    Attributes:
        faults: names of what can be made wrong with it.
        lists_all: whether what is gone from the system can be known to be gone.
    """

    kind: str
    faults: Sequence[str]
    lists_all: bool
    clock: Clock

    def connector(self, source: str) -> Connector:
        """A connector as an installation makes it for a source of that name."""
        ...

    def advance(self, source: str) -> None:
        """Let the system take in what has happened by the clock's present."""
        ...

    def strike(self, fault: str, *, lasting: bool = False) -> None:
        """Make something go wrong: once or twice, or until :meth:`heal`."""
        ...

    def heal(self) -> None:
        """Nothing is wrong any more."""
        ...

    def truth(self) -> States:
        """What the system tells now when it is asked for everything; nothing may be wrong with it."""
        ...

    def is_told_late(self, key: str) -> bool:
        """Whether changes of this dossier come to light only when everything is asked for."""
        ...

    def close(self) -> None:
        """Take the system down."""
        ...


def states(connector: Connector) -> States:
    """What a full fetch tells: the last state of each dossier, patches laid over what was told before."""
    found: States = {}
    for page in connector.fetch(None):
        batch = connector.normalise(page)
        for row in batch.records.select(list(OBSERVED_SCHEMA)).to_dicts():
            key = row["source_key"]
            told = {name: value for name, value in row.items() if value is not None or name in batch.clears}
            found[key] = {**dict.fromkeys(OBSERVED_SCHEMA), **found.get(key, {}), **told} if batch.patch else row
    return found


WAY = ("server_errors", "too_many_requests", "slow", "lost_login", "truncated", "broken", "slow_drip")
TOKEN = ("token_expired",)


class _OverHttp:
    """What systems over HTTP share: the faults of the way, and those of the simulated system."""

    faults: Sequence[str]

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.clock = clock
        self._faults = faults
        self._was_slow = False

    def strike(self, fault: str, *, lasting: bool = False) -> None:
        ids = [one.script.dossier_id for one in self._dossiers(self.clock() - A_SHIFT)]
        faults = self._faults
        faults.retry_after_seconds, faults.slow_seconds, faults.drip_seconds, faults.drip_bytes = 0, 1.0, 0.001, 20
        self._was_slow = self._was_slow or fault == "slow"
        if fault == "hit_limit":
            faults.hit_limit = 25
        elif fault in ("repeat_rows", "strict_filters", "plain_json"):
            setattr(faults, fault, True)
        elif fault in ("without_history", "vanished"):
            setattr(faults, fault, set(ids[-3:]))
        elif fault == "backdated":
            faults.backdated = dict.fromkeys(ids[-30:], timedelta(days=2))
        elif fault == "clock_skew":
            faults.clock_skew = timedelta(minutes=-4)
        elif fault == "shifted_zone_hours":
            faults.shifted_zone_hours = 1
        elif fault == "withheld":
            faults.withheld = 2
        else:
            setattr(faults, fault, 10_000 if lasting else 1)

    def heal(self) -> None:
        if self._was_slow:
            # Requests that the client gave up are still asleep in the server; they would use up the next fault.
            time.sleep(1.2)
        self._was_slow = False
        self._faults.clear()

    @property
    def _patience(self) -> float:
        """Seconds that a client waits for an answer: few only where the server lets it wait, lest a busy machine does."""
        return 0.5 if self._was_slow else 30

    def advance(self, source: str) -> None:
        """The server tells the present by itself."""

    def truth(self) -> States:
        return states(self.connector("truth"))

    def is_told_late(self, key: str) -> bool:
        return False

    def connector(self, source: str) -> Connector:
        raise NotImplementedError

    def _dossiers(self, at: datetime) -> list[Dossier]:
        raise NotImplementedError

    def _around(self) -> Surroundings:
        return Surroundings(self.clock, Path(), KEY)


class OpencpsFed(_OverHttp):
    """The simulated OpenCPS."""

    kind, lists_all = "opencps", True
    faults = (
        *WAY, "hit_limit", "repeat_rows", "without_history", "vanished", "backdated", "withheld", "clock_skew", "shifted_zone_hours",
        "strict_filters", "plain_json", "repeat_pages",
    )  # fmt: skip

    def __init__(self, clock: Clock) -> None:
        self._server = SimulatedServer(world(), clock=clock)
        self._server.start()
        super().__init__(clock, self._server.faults)

    def connector(self, source: str) -> Connector:
        server = self._server
        options = OpencpsOptions(
            url=server.url, group_id=server.group_id, username=server.username, password=server.password,
            page_size=15, timeout_seconds=self._patience, attempts=3,
        )  # fmt: skip
        return OpencpsConnector(source, options, self._around())

    def close(self) -> None:
        self._server.stop()

    def _dossiers(self, at: datetime) -> list[Dossier]:
        return self._server.world.dossiers_at(at)


class IgateFed(_OverHttp):
    """The simulated iGate."""

    kind, lists_all = "igate", True
    faults = (
        *WAY, *TOKEN, "hit_limit", "repeat_rows", "vanished", "backdated", "withheld", "clock_skew", "shifted_zone_hours", "repeat_pages",
    )  # fmt: skip

    def __init__(self, clock: Clock) -> None:
        self._server = SimulatedIgate(world(), clock=clock)
        self._server.start()
        super().__init__(clock, self._server.faults)

    def connector(self, source: str) -> Connector:
        server = self._server
        options: dict[str, Any] = {
            "url": server.url,
            "auth": {
                "kind": "client_credentials", "token_url": server.token_url, "client_id": CLIENT,
                "client_secret": server.secret,
            },
            "statuses": {str(STATUS_NUMBERS[status]): national for status, national in NATIONAL.items()},
            "page_size": 15, "timeout_seconds": self._patience, "attempts": 3,
        }  # fmt: skip
        return IgateConnector(source, IgateOptions.model_validate(options), self._around())

    def close(self) -> None:
        self._server.stop()

    def _dossiers(self, at: datetime) -> list[Dossier]:
        return self._server.world.dossiers_at(at)


class RestFed(_OverHttp):
    """A plain JSON interface with a token, pages, and an instant of the last change that some rows lack."""

    kind, lists_all = "rest", True
    faults = (*WAY, "vanished", "backdated", "withheld", "repeat_pages")

    def __init__(self, clock: Clock) -> None:
        self._world = world()
        super().__init__(clock, Faults())
        app = Starlette(routes=[Route("/api/ho-so", self._list)])
        self._server = ServedApp(FaultyWay(app, self._faults))
        self._server.start()

    async def _list(self, request: Request) -> Response:
        if request.headers.get("Authorization") != "Bearer chia-khoa":
            return JSONResponse({}, 401)
        found = [
            row_of(one) | {"sua": _changed_at(one)} for one in self._faults.seen(self._world.dossiers_at(self.clock()))
        ]
        since = request.query_params.get("tu")
        if since is not None:
            first = datetime.fromisoformat(since)
            found = [row for row in found if row["sua"] and datetime.fromisoformat(row["sua"]) >= first]
        self._faults.take("withheld")
        page, size = int(request.query_params["trang"]), int(request.query_params["co"])
        return JSONResponse({"tong": len(found), "ho_so": found[page * size : (page + 1) * size]})

    def connector(self, source: str) -> Connector:
        options = {
            "url": self._server.url,
            "path": "api/ho-so",
            "auth": {"kind": "bearer", "token": "chia-khoa"},
            "paging": {"by": "page", "page_param": "trang", "first": 0, "size_param": "co", "size": 15},
            "records": "ho_so",
            "total": "tong",
            "changes": {"from_param": "tu", "format": "%Y-%m-%dT%H:%M:%S%z", "sweep_every": "1d"},
            "lists_all_open": True,
            "timeout_seconds": self._patience,
            "attempts": 3,
            **MAPPING,
        }
        return RestConnector(source, RestOptions.model_validate(options), self._around())

    def is_told_late(self, key: str) -> bool:
        return _lacks_change(key)

    def close(self) -> None:
        self._server.stop()

    def _dossiers(self, at: datetime) -> list[Dossier]:
        return self._world.dossiers_at(at)


def _changed_at(dossier: Dossier) -> str | None:
    """The last change as the interface tells it; of some dossiers it tells none."""
    if _lacks_change(dossier.script.dossier_id):
        return None
    return f"{dossier.last.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S%z}"


def _lacks_change(key: str | int) -> bool:
    return int(key) % 7 == 0


class FilesFed:
    """A table that an office exports anew from time to time."""

    kind, lists_all = "files", True
    faults = ("missing", "cut_short", "other_header", "half_a_line", "vanished")

    def __init__(self, clock: Clock, folder: Path) -> None:
        self.clock = clock
        self._world = world()
        self._file = folder / f"{uuid4().hex}.csv"
        self._fault: str | None = None
        self._gone: set[int] = set()

    def connector(self, source: str) -> Connector:
        options = FilesOptions.model_validate({"path": self._file.name, "lists_all_open": True, **MAPPING})
        return FilesConnector(source, options, Surroundings(self.clock, self._file.parent, KEY))

    def advance(self, source: str) -> None:
        dossiers = [one for one in self._world.dossiers_at(self.clock()) if one.script.dossier_id not in self._gone]
        with self._file.open("w", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, FIELDS)
            rows.writeheader()
            rows.writerows(row_of(one) for one in dossiers)
        content = self._file.read_bytes()
        if self._fault == "missing":
            self._file.unlink()
        elif self._fault == "cut_short":
            self._file.write_bytes(b"")
        elif self._fault == "other_header":
            self._file.write_bytes(content.replace(b"trang_thai", b"tinh_trang", 1))
        elif self._fault == "half_a_line":
            self._file.write_bytes(content[:-25])
        if self._file.exists():
            os.utime(self._file, (self.clock().timestamp(), self.clock().timestamp()))

    def strike(self, fault: str, *, lasting: bool = False) -> None:
        self._fault = fault
        if fault == "vanished":
            self._gone = {one.script.dossier_id for one in self._world.dossiers_at(self.clock() - A_SHIFT)[-3:]}

    def heal(self) -> None:
        self._fault = None
        self._gone = set()

    def truth(self) -> States:
        self.advance("truth")
        return states(self.connector("truth"))

    def is_told_late(self, key: str) -> bool:
        return False

    def close(self) -> None:
        self._file.unlink(missing_ok=True)


class SqlFed:
    """A table of a database; ``sua`` is when a row was written by the database's clock, of some rows unknown.

    That clock is the one shared by all: the server's own would stand still while days pass by hand.
    """

    kind, lists_all = "sql", True
    faults = ("disconnected", "locked", "column_gone", "late_commit", "vanished")

    def __init__(self, clock: Clock, engine: Engine) -> None:
        self.clock = clock
        self._world = world()
        self._engine = engine
        self._fault: str | None = None
        self._written: States = {}
        self._gone: set[str] = set()
        self._held: Any = None
        self._renamed = False
        self._servers_clock = postgresql._CLOCK
        columns = ", ".join(f"{name} text" for name in FIELDS)
        self._run("CREATE SCHEMA nguon")
        self._run(f"CREATE TABLE nguon.ho_so ({columns}, sua timestamptz, PRIMARY KEY (so))")

    def _run(self, statement: str, **values: Any) -> None:
        with transaction(self._engine) as connection:
            connection.execute(text(statement), values)

    def connector(self, source: str) -> Connector:
        options = {
            "url": self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            "query": f"SELECT {', '.join(FIELDS)}, sua FROM nguon.ho_so",
            "key": "so",
            "cursor": "sua",
            "page_rows": 20,
            "statement_timeout": "1s",
            "lists_all_open": True,
            **MAPPING,
        }
        around = Surroundings(self.clock, Path(), KEY)
        postgresql._CLOCK = f"SELECT '{self.clock().astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"  # type: ignore[misc]
        made = SqlConnector(source, SqlOptions.model_validate(options), around)
        return _Cut(made, self) if self._fault == "disconnected" else made

    def advance(self, source: str) -> None:
        # The system itself can always write; what is wrong is so for those who ask.
        self._mend()
        now = {
            row["so"]: row for row in map(row_of, self._world.dossiers_at(self.clock())) if row["so"] not in self._gone
        }
        changed = [row for key, row in now.items() if self._written.get(key) != row]
        late = changed[:2] if self._fault == "late_commit" else []
        names = ", ".join(FIELDS)
        values = ", ".join(f":{name}" for name in FIELDS)
        updates = ", ".join(f"{name} = excluded.{name}" for name in (*FIELDS, "sua"))
        statement = text(
            f"INSERT INTO nguon.ho_so ({names}, sua) VALUES ({values}, CASE WHEN :unknown THEN NULL ELSE :now END) "
            f"ON CONFLICT (so) DO UPDATE SET {updates}"
        )

        def given(rows: Sequence[Record]) -> list[Record]:
            return [row | {"unknown": _lacks_change(row["so"]), "now": self.clock()} for row in rows]

        if late:
            self._held = self._engine.connect()
            self._held.execute(statement, given(late))
        rest = [row for row in changed if row not in late]
        if rest:
            with transaction(self._engine) as connection:
                connection.execute(statement, given(rest))
        self._written = now
        self._run("DELETE FROM nguon.ho_so WHERE so <> ALL(:here)", here=sorted(now))
        self._spoil()

    def strike(self, fault: str, *, lasting: bool = False) -> None:
        self._mend()
        self._fault = fault
        if fault == "vanished":
            self._gone = {str(one.script.dossier_id) for one in self._world.dossiers_at(self.clock() - A_SHIFT)[-3:]}
        self._spoil()

    def heal(self) -> None:
        self._mend()
        self._gone = set()
        self._fault = None

    def _spoil(self) -> None:
        """Bring about what is wrong with the table, if anything."""
        if self._fault == "column_gone":
            self._run("ALTER TABLE nguon.ho_so RENAME trang_thai TO tinh_trang")
            self._renamed = True
        elif self._fault == "locked":
            self._held = self._engine.connect()
            self._held.execute(text("LOCK TABLE nguon.ho_so IN ACCESS EXCLUSIVE MODE"))

    def _mend(self) -> None:
        """Undo what is wrong with the table, and end the transaction that is open."""
        if self._held is not None:
            self._held.commit()
            self._held.close()
            self._held = None
        if self._renamed:
            self._run("ALTER TABLE nguon.ho_so RENAME tinh_trang TO trang_thai")
            self._renamed = False

    def truth(self) -> States:
        self.advance("truth")
        return states(self.connector("truth"))

    def is_told_late(self, key: str) -> bool:
        return False

    def close(self) -> None:
        self.heal()
        postgresql._CLOCK = self._servers_clock  # type: ignore[misc]
        self._run("DROP SCHEMA nguon CASCADE")

    def cut(self) -> None:
        """End the connector's connections, as a restart of the server does."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE '%FROM (SELECT so, %'"
        )


class _Cut:
    """A connector whose database connection ends after the first page."""

    def __init__(self, inner: Connector, fed: SqlFed) -> None:
        self._inner, self._fed = inner, fed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def fetch(self, cursor: Any) -> Iterator[Any]:
        for page in self._inner.fetch(cursor):
            yield page
            self._fed.cut()


_PUSHED_SINCE = START - timedelta(days=2)
"""The platform was connected then; of what happened before, it tells nothing."""


class DvcqgFed:
    """Messages of the national portal: delivered to the inbox one by one, or written into a folder."""

    lists_all = False
    faults = ("duplicates", "rubbish", "half_written")

    def __init__(self, clock: Clock, engine: Engine | None, folder: Path) -> None:
        self.kind = "dvcqg push" if engine is not None else "dvcqg spool"
        self.faults = ("duplicates", "rubbish") if engine is not None else ("duplicates", "rubbish", "half_written")
        self.clock = clock
        self._engine = engine
        self._folder = folder / uuid4().hex
        self._folder.mkdir()
        self._world = world()
        self._pusher = Pusher(self._world, "http://127.0.0.1:9/", "")
        self._told: dict[str, datetime] = {}
        self._fault: str | None = None
        self._sent = 0
        self._unfinished: tuple[Path, bytes] | None = None

    def connector(self, source: str) -> Connector:
        if self._engine is None:
            options = DvcqgOptions(spool=self._spool(source))
            return DvcqgConnector(source, options, Surroundings(self.clock, Path(), KEY))
        around = Surroundings(self.clock, Path(), KEY, inbox=StoredInbox(self._engine, source))
        return DvcqgConnector(source, DvcqgOptions(), around)

    def advance(self, source: str) -> None:
        since = self._told.get(source, _PUSHED_SINCE)
        self._told[source] = self.clock()
        for _, body in self._pusher.messages(since, self.clock()):
            times = 2 if self._fault == "duplicates" else 1
            for _ in range(times):
                self._send(source, body)
        if self._fault == "rubbish":
            self._send(source, b'{"data": [{"MaHoSo": ')
        if self._fault == "half_written" and self._unfinished is None:
            last = max(self._spool(source).iterdir())
            self._unfinished = (last, last.read_bytes())
            last.write_bytes(self._unfinished[1][:40])

    def _spool(self, source: str) -> Path:
        folder = self._folder / source
        folder.mkdir(exist_ok=True)
        return folder

    def _send(self, source: str, body: bytes) -> None:
        self._sent += 1
        if self._engine is None:
            (self._spool(source) / f"{self._sent:06d}.json").write_bytes(body)
            return
        receiver: Any = self.connector(source)
        try:
            contents = receiver.receive(body).contents
        except Exception:
            if not body.endswith(b": "):
                raise
            return
        with transaction(self._engine) as connection:
            deliver(connection, source, contents, self.clock())

    def strike(self, fault: str, *, lasting: bool = False) -> None:
        self._fault = fault

    def heal(self) -> None:
        if self._unfinished is not None:
            path, content = self._unfinished
            path.write_bytes(content)
        if self._fault == "rubbish" and self._engine is None:
            for path in self._folder.rglob("*.json"):
                if path.read_bytes().endswith(b": "):
                    path.unlink()
        self._fault = self._unfinished = None

    def truth(self) -> States:
        messages: list[Message] = []
        reader = DvcqgConnector("truth", DvcqgOptions(), Surroundings(self.clock, Path(), KEY))
        for _, body in self._pusher.messages(_PUSHED_SINCE, self.clock()):
            for content in reader.receive(body).contents:
                messages.append(Message(len(messages) + 1, self.clock(), content))
        around = Surroundings(self.clock, Path(), KEY, inbox=_Letters(messages))
        return states(DvcqgConnector("truth", DvcqgOptions(), around))

    def is_told_late(self, key: str) -> bool:
        return False

    def close(self) -> None:
        shutil.rmtree(self._folder)


class _Letters:
    """An inbox in memory."""

    def __init__(self, letters: Sequence[Message]) -> None:
        self._letters = letters

    def messages(self, after: int) -> Iterator[Message]:
        return (one for one in self._letters if one.number > after)


KINDS = ("opencps", "igate", "rest", "files", "sql", "dvcqg push", "dvcqg spool")


@contextmanager
def fed(kind: str, clock: Clock, engine: Engine, folder: Path) -> Iterator[Fed]:
    """A system of a kind, up and running, over a world of its own."""
    makers: dict[str, Callable[[], Fed]] = {
        "opencps": lambda: OpencpsFed(clock),
        "igate": lambda: IgateFed(clock),
        "rest": lambda: RestFed(clock),
        "files": lambda: FilesFed(clock, folder),
        "sql": lambda: SqlFed(clock, engine),
        "dvcqg push": lambda: DvcqgFed(clock, engine, folder),
        "dvcqg spool": lambda: DvcqgFed(clock, None, folder),
    }
    made = makers[kind]()
    try:
        yield made
    finally:
        made.heal()
        made.close()
