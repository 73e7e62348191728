"""The connector: messages that were pushed to us, and files of a spool, in the order of arrival."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from connectors.base import ConnectorOptions, Cursor, Inbox, Page, Received, Surroundings
from connectors.dvcqg.messages import NotAMessageError, read_messages, reply
from connectors.dvcqg.options import DvcqgOptions
from connectors.dvcqg.rows import DOSSIER_COLUMNS, STEP_COLUMNS, SUPPLEMENT_COLUMNS, RecordReader, Told
from connectors.dvcqg.spool import SpoolMemory, list_files
from connectors.dvcqg.spool_reader import SpoolReader
from connectors.dvcqg.state import State, under_way
from connectors.dvcqg.windows import Arrival, Window, arrival
from connectors.sweeping import scope_of
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.records import Batch, Reject

_COUNTED: Final = 10_000
"""Waiting messages that a check looks at, at most."""
_NOT_CONTENT: Final = frozenset({"spool", "patience"})
_SAMPLE: Final = 20
"""Files that a check reads."""
_NOTHING_TO_READ: Final = (
    "there is nothing to read: options.spool names no folder, and what was pushed is kept in the database, which is not "
    "open here; set spool, or pull the source"
)


class DvcqgConnector:
    """Reads what one integration platform relays of DongBoHoSoMC and CapNhatTienDoHoSoMC."""

    Options: ClassVar[type[ConnectorOptions]] = DvcqgOptions

    def __init__(self, name: str, options: DvcqgOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._surroundings = surroundings
        self._reader = RecordReader(options)
        self._scope = scope_of(options, surroundings.applicant_key, beside=_NOT_CONTENT)

    @property
    def provides(self) -> frozenset[str]:
        """What the messages tell; deadlines of steps only of a platform that is said to send them.

        Many leave them empty, and of such a platform an empty one says nothing.
        """
        found = {"source_key", "code", "kind", "last_step_at", *DOSSIER_COLUMNS, *SUPPLEMENT_COLUMNS, *STEP_COLUMNS}
        if not self._options.steps_told:
            found.remove("step_due_at")
        if self._surroundings.applicant_key is not None:
            found.add("applicant_hash")
        return frozenset(found)

    # -- being sent to -------------------------------------------------------------------------------------------

    def receive(self, body: bytes) -> Received:
        """Leave of a message only what may be kept; see :mod:`connectors.dvcqg.messages`."""
        try:
            contents = read_messages(body, self._surroundings.applicant_key)
        except NotAMessageError as error:
            raise PermanentSourceError(str(error)) from None
        kept = [content for content in contents if content["records"] or content["faults"]]
        return Received(kept, reply(contents))

    def refusal(self, reason: str) -> dict[str, str]:
        """The portal's form of an answer, with a code other than "0"."""
        return {"error_code": "1", "message": reason}

    # -- pulling -------------------------------------------------------------------------------------------------

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """What arrived since ``cursor``: first the files of the spool, then what was pushed.

        After a change of settings that say what a message means, all that is still there is read again, as one round and
        without dates: only where each dossier stands in the end is told, whatever is held of it.

        Raises:
            PermanentSourceError: the spool cannot be read.
            ConfigError: there is neither a spool nor an inbox.
        """
        if self._options.spool is None and self._surroundings.inbox is None:
            raise ConfigError(_NOTHING_TO_READ)
        state = State.unpacked(cursor, self._scope)
        given, begun = cursor, False
        for window in self._windows(state):
            for page in self._pages(state, window):
                new_round = page.new_round and begun and not state.is_anew
                yield replace(page, new_round=new_round, undated=state.is_anew)
                given, begun = page.cursor or given, True
        # What is waited for, and messages that tell nothing new, are no pages of their own.
        rest = state.packed()
        if rest != (given or State(self._scope).packed()):
            yield Page({"told": [], "faults": []}, self.name, rest)

    def normalise(self, page: Page) -> Batch:
        """Records of a page; all are of one shape, so that the batch can say which columns they tell."""
        batch = self._reader.read([Told(*packed) for packed in page.content["told"]])
        faults = tuple(Reject(*fault) for fault in page.content["faults"])
        return replace(batch, rejects=(*faults, *batch.rejects), rows_read=batch.rows_read + len(faults))

    def check(self) -> list[str]:
        """Say how to push, what waits, and how the spool is."""
        lines = [
            f"messages are taken by POST /receive/{self.name} on the service's port, as application/json, with the header "
            "'Authorization: Bearer TOKEN', once the source has a 'receive' part that names the token"
        ]
        if self._surroundings.inbox is not None:
            lines.append(self._check_inbox(self._surroundings.inbox))
        if self._options.spool is not None:
            lines += self._check_spool(self._options.spool)
        return lines

    # -- windows and pages ---------------------------------------------------------------------------------------

    def _windows(self, state: State) -> Iterator[Window]:
        """Windows of messages, the one first that was under way; who takes one brings ``state`` up to its end."""
        if state.window is not None:
            window = self._under_way(state, state.window)
            if window.arrivals:
                yield window
        state.window, state.rounds = None, 0
        window = Window()
        for one in chain(self._spooled(state.spool), self._pushed(state.after)):
            if not window.takes(one):
                yield window
                window = Window()
            window.add(one)
        if window.arrivals:
            yield window

    def _under_way(self, state: State, marks: Mapping[str, Any]) -> Window:
        if "to" in marks:
            pushed = self._pushed(state.after)
            return Window(list(takewhile(lambda one: isinstance(one.mark, int) and one.mark <= marks["to"], pushed)))
        return Window(list(self._spooled(state.spool, {name for name, _ in marks["files"]})))

    def _pages(self, state: State, window: Window) -> Iterator[Page]:
        before = state.packed()
        done = state.rounds if state.window == window.marks else 0
        rounds = window.rounds(self._reader, state.latest)
        for one in window.arrivals:
            if isinstance(one.mark, int):
                state.after = one.mark
            else:
                state.spool.remember(one.mark)
        after = state.packed()
        faults = [] if done else window.faults
        for number in range(done, len(rounds)):
            last = number + 1 == len(rounds)
            cursor = after if last else under_way(before, window.marks, number + 1)
            shapes: dict[str, list[tuple[Told, datetime]]] = {}
            for item in rounds[number]:
                shapes.setdefault(item[0].shape, []).append(item)
            for place, items in enumerate(shapes.values(), start=1):
                content = {"told": [told.packed() for told, _ in items], "faults": faults}
                faults = []
                yield Page(
                    content,
                    items[0][0].where,
                    cursor if place == len(shapes) else None,
                    as_of=None if state.is_anew else min(arrived for _, arrived in items),
                    new_round=place == 1,
                )
        if faults:
            yield Page({"told": [], "faults": faults}, self.name, after)

    def _pushed(self, after: int) -> Iterator[Arrival]:
        if self._surroundings.inbox is not None:
            for message in self._surroundings.inbox.messages(after):
                where = f"message {message.number}"
                yield arrival(message.number, where, message.received_at, [message.content])

    def _spooled(self, memory: SpoolMemory, only: Collection[str] | None = None) -> Iterator[Arrival]:
        if self._options.spool is not None:
            yield from self._spool_reader(self._options.spool).arrivals(memory, only)

    def _spool_reader(self, spool: Path) -> SpoolReader:
        around = self._surroundings
        folder = around.base_dir / spool.expanduser()
        return SpoolReader(folder, self._reader, around.applicant_key, self._options.patience, around.now())

    # -- checks --------------------------------------------------------------------------------------------------

    def _check_inbox(self, inbox: Inbox) -> str:
        kept = list(islice((one.received_at for one in inbox.messages(0)), _COUNTED))
        if not kept:
            return "no message has arrived in the last days"
        more = "at least " * (len(kept) == _COUNTED)
        return f"{more}{len(kept)} messages arrived in the last days, the last of them at {self._local(kept[-1])}"

    def _check_spool(self, spool: Path) -> Iterator[str]:
        memory = SpoolMemory()
        files = list_files(self._surroundings.base_dir / spool.expanduser())
        if not files:
            yield f"spool {spool} can be read and holds no file ending in .json"
            return
        yield f"spool {spool}: {len(files)} message files, the last one written at {self._local(files[-1].written_at)}"
        sample = list(islice(self._spool_reader(spool).arrivals(memory), _SAMPLE))
        records = sum(len(one.told) for one in sample)
        batches = [self._reader.read(one.told) for one in sample if one.told]
        refused = sum(len(batch.rejects) for batch in batches) + sum(len(one.faults) for one in sample)
        yield f"the first {len(sample)} of them hold {records} records; {refused} places in them cannot be read"
        if memory.waited is not None:
            yield f"{memory.waited[0]} is not whole; those after it wait for it at most {self._options.patience}"

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(ZoneInfo(self._options.zone)):%d/%m/%Y %H:%M}"
