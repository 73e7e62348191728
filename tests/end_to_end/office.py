"""Two processes over one database and a mail server, and what is done to them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Engine, text

from tests.awaited import free_port
from tests.end_to_end.replica import start
from tests.postgres.test_ledger import query

HANOI: Final = ZoneInfo("Asia/Ho_Chi_Minh")
SKEWS: Final = (timedelta(seconds=-4), timedelta(seconds=5))
PATIENCE: Final = 60.0


class Post:
    """A mail server that counts what it took, and calls somebody at chosen points of chosen mails.

    Attributes:
        taken: by Message-ID; ``mails``: by address and the day of the Date header in Hà Nội.
        away: it takes nothing; ``turned_away`` counts whom it told so.
        losing: called with a text in hand that is not kept.
    """

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.mails: Counter[tuple[str, date]] = Counter()
        self.away = False
        self.turned_away = 0
        self.at_recipient: list[Callable[[], None]] = []
        self.when_taken: list[Callable[[], None]] = []
        self.losing: list[Callable[[], None]] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.away:
            self.turned_away += 1
            return "451 4.3.2 Try again later"
        if self.at_recipient:
            self.at_recipient.pop()()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if self.losing:
            self.losing.pop()()
            return "451 4.3.0 The text is lost"
        message = message_from_bytes(envelope.content)
        self.taken[str(message["Message-ID"])] += 1
        self.mails[envelope.rcpt_tos[0], parsedate_to_datetime(str(message["Date"])).astimezone(HANOI).date()] += 1
        if self.when_taken:
            self.when_taken.pop()()
        return "250 OK"


@contextmanager
def post_office() -> Iterator[tuple[Post, int]]:
    """A mail server while the block lasts, and its port."""
    port = free_port()
    handler = Post()
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield handler, port
    finally:
        server.stop()


@dataclass
class Office:
    """Two replicas, and what is done to them."""

    folder: Path
    engine: Engine
    chance: random.Random
    processes: list[BaseProcess] = field(default_factory=list)
    kills: int = 0
    killed_at_work: int = 0
    dossiers: int = 0
    only: frozenset[str] | None = None

    def open(self) -> None:
        self.processes = [self._start(number) for number in range(len(SKEWS))]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    def kill(self, number: int) -> None:
        """End one as the kernel does, and start another in its place."""
        self.processes[number].kill()
        self.processes[number].join()
        self.kills += 1
        self.processes[number] = self._start(number)

    def restart(self) -> None:
        """Start those again that were killed from elsewhere."""
        for number, process in enumerate(self.processes):
            if not process.is_alive():
                process.join()
                self.processes[number] = self._start(number)

    def _start(self, number: int) -> BaseProcess:
        return start(self.folder, f"replica-{number}", SKEWS[number], self.only)

    def kill_holder(self, job: str) -> None:
        """End the one that is at work on a job, in the middle of it; :meth:`restart` replaces it."""
        number = self.holder(job)
        assert number is not None, f"who is at work holds the job {job}"
        pid = self.processes[number].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.kills += 1

    def holder(self, job: str) -> int | None:
        """Which of the two is at work on a job."""
        found = query(
            self.engine,
            f"SELECT split_part(claimed_by, ':', 2)::int FROM tthc.job_runs WHERE job = '{job}' AND finished_at IS NULL "
            "AND outcome IS NULL AND lease_until >= clock_timestamp()",
        )
        pids = [process.pid for process in self.processes]
        return pids.index(found[0]) if found and found[0] in pids else None

    def freeze(self, job: str, patience: float = 1.0) -> int | None:
        """Stop one in the middle of a job; None when none could be caught at it."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            number = self.holder(job)
            if number is None:
                continue
            pid = self.processes[number].pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            # What it had sent before may be on its way still.
            time.sleep(0.02)
            if self.holder(job) == number:
                return number
            os.kill(pid, signal.SIGCONT)
        return None

    def write_source(self, instant: datetime) -> None:
        """Some more dossiers since the last time."""
        self.dossiers += self.chance.randint(1, 5)
        rows = "".join(f"{number},02/01/2026,{5 + number % 24:02}/01/2026\n" for number in range(self.dossiers))
        new = self.folder / "ho-so.new"
        new.write_text(f"ma,nhan,hen\n{rows}", encoding="utf-8")
        os.utime(new, (instant.timestamp(), instant.timestamp()))
        new.replace(self.folder / "ho-so.csv")


def until_done(office: Office, wanted: set[tuple[str, datetime]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while left := wanted - ended_since(office.engine, wanted):
        office.restart()
        assert time.monotonic() < deadline, (left, logs(office.folder))
        time.sleep(0.01)


def ended_since(engine: Engine, wanted: set[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT job, scheduled_for FROM tthc.job_runs WHERE finished_at IS NOT NULL "
                "AND scheduled_for >= CAST(:first AS timestamptz)"
            ),
            {"first": min(slot for _, slot in wanted)},
        )
        return {(job, slot) for job, slot in rows}


def logs(folder: Path) -> str:
    return "\n".join(path.read_text("utf-8")[-3_000:] for path in sorted(folder.glob("*.log")))
