"""Tries a site cheaply and says what is right, or what is wrong and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from connectors.http import HttpClient
from connectors.opencps.answers import Row, read_detail, text
from connectors.opencps.histories import NO_HISTORY, local_time
from connectors.opencps.listing import PATH, Lister, Query
from connectors.opencps.membership import Membership
from connectors.opencps.options import OpencpsOptions
from tthc_monitor.domain.errors import PermanentSourceError

_OFFICE_HOURS: Final = range(6, 19)
_OFFICE_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
_ENOUGH: Final = 20
"""Receptions from which a share of them says something."""


def check_site(client: HttpClient, pool: Executor, options: OpencpsOptions, today: date) -> list[str]:
    """Try address, credentials, site id, history, single dossiers, statuses and the server's time zone.

    Raises:
        TthcError: the first thing that is wrong, with what to do.
    """
    rows, total = Lister(client, options, today, pool).first_page(Query())
    found = [f"{options.url} answers and accepts user {options.username}"]
    membership = Membership(options)
    own = [row for row in rows if row is not None and membership.has(row)]
    if not own:
        raise _why_nothing(client, pool, options, today, [row for row in rows if row is not None])
    found.append(f"site {options.group_id} shows {total} dossiers to this account")
    first = text(own[0].dossier_id)
    if options.fetch_history:
        answer = client.get_json(f"{PATH}/{first}/sequences", absent=NO_HISTORY)
        found.append(
            "the step history can be read"
            if answer is not None
            else "the step history of the first dossier cannot be read; supplement requests may stay unknown"
        )
    single = client.get_json(f"{PATH}/{first}", absent=NO_HISTORY, parse=read_detail)
    found.append(
        "single dossiers can be asked for"
        if single is not None
        else "single dossiers cannot be asked for, so none will ever count as gone; ask for the right to read their details"
    )
    found.append(_statuses(own, options))
    found.append(_hours(own, options.zone))
    return found


def nothing_visible(options: OpencpsOptions) -> PermanentSourceError:
    """The error for a site that lists no dossier at all."""
    return PermanentSourceError(
        f"site {options.group_id} at {options.url} shows no dossier to user {options.username}; "
        "check group_id, agencies and the account's scope"
    )


def _why_nothing(
    client: HttpClient, pool: Executor, options: OpencpsOptions, today: date, rows: Sequence[Row]
) -> PermanentSourceError:
    others = sorted({group for row in rows if (group := text(row.group_id)) not in (None, options.group_id)})
    if others:
        return PermanentSourceError(
            f"{options.url} shows dossiers of site {', '.join(others)} instead of {options.group_id}; correct group_id"
        )
    if options.agencies:
        everywhere = options.model_copy(update={"agencies": ()})
        _, total = Lister(client, everywhere, today, pool).first_page(Query())
        if total:
            return PermanentSourceError(
                f"site {options.group_id} has {total} dossiers, but none of {', '.join(options.agencies)}; correct agencies"
            )
    return nothing_visible(options)


def _statuses(rows: Sequence[Row], options: OpencpsOptions) -> str:
    known = options.all_statuses()
    codes = Counter(text(row.dossier_status) or "" for row in rows if text(row.dossier_sub_status) not in known)
    unknown = sorted(code for code in codes if code not in known)
    if not unknown:
        return f"the statuses of the first {len(rows)} dossiers are all known"
    return f"these statuses are not known and will be told as such: {', '.join(unknown)}; add them to statuses"


def _hours(rows: Sequence[Row], zone: str) -> str:
    read = ZoneInfo(zone)
    moments = [moment for row in rows if (moment := local_time(row.receive_date, read)) is not None]
    inside = sum(moment.astimezone(_OFFICE_ZONE).hour in _OFFICE_HOURS for moment in moments)
    share = f"{inside} of {len(moments)} receptions lie between 06:00 and 19:00"
    if len(moments) >= _ENOUGH and inside < 0.8 * len(moments):
        raise PermanentSourceError(
            f"only {share} when read as {zone}: the server seems to write another time zone; "
            "set zone to the server's own (UTC, say)"
        )
    return f"{share}, so zone {zone} fits"
