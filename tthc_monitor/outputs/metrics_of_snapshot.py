"""Metrics about dossiers: families made from the snapshot, from the totals, and the names that go with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import HistogramMetricFamily, Metric

from tthc_monitor.outputs.metric_spec import Family
from tthc_monitor.outputs.metric_table import SECTIONS, SPECS, UNKNOWN
from tthc_monitor.store.totals import BOUNDS, SUM

if TYPE_CHECKING:
    from sqlalchemy import Connection

Samples = Iterable[tuple[Sequence[str], float]]

_OF_UNITS: Final = [spec.name for spec in (*SECTIONS["Units"], *SECTIONS["Names"])]
_OF_PAIRS: Final = [spec.name for spec in SECTIONS["Units and procedures"]]
_UNIT_COUNTERS: Final = [spec.name for spec in SECTIONS["Units"] if spec.type == "counter"]
_PAIR_COUNTERS: Final = {
    "tthc_procedure_dossiers_finished_total": "finished",
    "tthc_procedure_dossiers_finished_late_total": "finished_late",
    "tthc_procedure_dossiers_returned_total": "returned",
}

_UNIT_ROWS: Final = """
SELECT metric, label_1, label_2, label_3, figures FROM tthc.metric_snapshot
WHERE metric = ANY (%(names)s) ORDER BY metric
"""
_PAIR_ROWS: Final = """
FROM tthc.metric_snapshot s
CROSS JOIN LATERAL unnest(s.label_1, s.label_2, s.figures) p (unit_code, procedure_code, value)
WHERE s.metric = ANY (%(names)s)
"""
# A unit that is no more takes its series with it.
_PAIR_TOTALS: Final = f"""
FROM tthc.procedure_totals p
CROSS JOIN LATERAL (VALUES {", ".join(f"('{metric}', p.{column})" for metric, column in _PAIR_COUNTERS.items())})
    s (metric, value)
WHERE s.value > 0 AND p.unit_code = ANY (%(units)s)
"""
_COUNT_ROWS: Final = (
    "SELECT coalesce(sum(cardinality(figures)), 0) FROM tthc.metric_snapshot WHERE metric = ANY (%(names)s)"
)
_COUNT_TOTALS: Final = f"""
SELECT {" + ".join(f"count(*) FILTER (WHERE {column} > 0)" for column in _PAIR_COUNTERS.values())}
FROM tthc.procedure_totals WHERE unit_code = ANY (%(units)s)
"""
_TOTALS: Final = "SELECT metric, labels, value FROM tthc.metric_totals WHERE metric = ANY (%(names)s) ORDER BY 1, 2"
_UNITS: Final = """
SELECT u.unit_code, coalesce(u.name, u.unit_code), coalesce(v.parent_code, '')
FROM tthc.units u LEFT JOIN LATERAL (
    SELECT r.parent_code FROM tthc.unit_versions r
    WHERE r.unit_code = u.unit_code AND r.known_to IS NULL AND (r.valid_from IS NULL OR r.valid_from <= %(today)s)
    ORDER BY r.valid_from DESC NULLS LAST LIMIT 1
) v ON true
WHERE u.unit_code = ANY (%(codes)s) ORDER BY 1
"""
_PROCEDURES: Final = """
SELECT procedure_code, coalesce(name, procedure_code), coalesce(sector_name, sector_code, 'unknown')
FROM audit.procedures WHERE procedure_code = ANY (%(codes)s) ORDER BY procedure_code
"""
_SECTORS: Final = "SELECT sector_code, coalesce(name, sector_code) FROM tthc.sectors"


@dataclass(frozen=True)
class SnapshotFamilies:
    """What is told as long as the snapshot is the same.

    Attributes:
        units: codes of all units that have series; empty for dossiers without one.
    """

    families: Sequence[Metric]
    units: Sequence[str]


def family(name: str, samples: Samples) -> Family:
    """A gauge or counter of that name with these samples."""
    made = SPECS[name].family()
    assert not isinstance(made, HistogramMetricFamily)
    for labels, value in samples:
        made.add_metric(list(labels), float(value))
    return made


def rows(connection: Connection, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a query in the driver's style."""
    return [tuple(row) for row in connection.exec_driver_sql(query, dict(values or {}))]


def snapshot_families(connection: Connection, cap: int, today: date) -> SnapshotFamilies:
    """The families of the snapshot that is there.

    Args:
        cap: how many series there may be; those of units are all told, those of procedures as far as there is room.
        today: local day of the snapshot.
    """
    found = {
        name: list(zip(_labels(first, second, third), figures, strict=True))
        for name, first, second, third, figures in rows(connection, _UNIT_ROWS, {"names": _OF_UNITS})
    }
    units = [labels[0] for labels, _ in found.get("tthc_dossiers_open", [])]
    counted = rows(connection, _TOTALS, {"names": [*_UNIT_COUNTERS, *BOUNDS]})
    # Dossiers without a unit may all have ended.
    if "" not in units and any(labels == [""] for metric, labels, _ in counted if metric in _UNIT_COUNTERS):
        units.append("")
    found |= _unit_counters(counted, units)
    room = max(0, cap - sum(map(len, found.values())))
    pairs, dropped = _pairs(connection, room, units)
    families: list[Metric] = [family(name, _sorted(samples)) for name, samples in (*found.items(), *pairs.items())]
    families += _histograms(counted, dict(rows(connection, _SECTORS)))
    families += _names(connection, units, pairs, today)
    families.append(family("tthc_series_dropped", [((), dropped)]))
    return SnapshotFamilies(families, units)


def _labels(*columns: Sequence[str] | None) -> Iterator[tuple[str, ...]]:
    return zip(*(column for column in columns if column is not None), strict=True)


def _sorted(samples: Samples) -> Samples:
    return sorted(([value or UNKNOWN for value in labels], figure) for labels, figure in samples)


def _unit_counters(counted: Iterable[tuple[Any, ...]], units: Sequence[str]) -> dict[str, list[tuple[Any, float]]]:
    held = {(metric, labels[0]): value for metric, labels, value in counted if metric not in BOUNDS}
    return {name: [((unit,), held.get((name, unit), 0)) for unit in units] for name in _UNIT_COUNTERS if units}


def _pairs(connection: Connection, room: int, units: Sequence[str]) -> tuple[dict[str, list[tuple[Any, float]]], int]:
    """Series of units and procedures, what is now before what was counted, and how many had no room."""
    found: dict[str, list[tuple[Any, float]]] = {}
    dropped = 0
    kinds = (
        (_COUNT_ROWS, f"SELECT s.metric, p.unit_code, p.procedure_code, p.value {_PAIR_ROWS}", {"names": _OF_PAIRS}),
        (_COUNT_TOTALS, f"SELECT s.metric, p.unit_code, p.procedure_code, s.value {_PAIR_TOTALS}", {"units": [*units]}),
    )
    for count, query, values in kinds:
        every = int(rows(connection, count, values)[0][0])
        if every and room:
            largest = f"{query} ORDER BY 4 DESC, 1, 2, 3 LIMIT {room}"
            for metric, unit, procedure, value in rows(connection, largest, values):
                found.setdefault(metric, []).append(((unit, procedure), value))
        dropped += max(0, every - room)
        room = max(0, room - every)
    return found, dropped


def _histograms(counted: Iterable[tuple[Any, ...]], names: Mapping[str, str]) -> Iterator[Metric]:
    """Sectors by name, as in tthc_procedure_info; of two with one name the values are told together."""
    held: dict[tuple[str, str], dict[str, float]] = {}
    for metric, labels, value in counted:
        if metric in BOUNDS:
            sector, bound = labels
            of_sector = held.setdefault((metric, names.get(sector, sector) or UNKNOWN), {})
            of_sector[bound] = of_sector.get(bound, 0.0) + value
    for metric, bounds in BOUNDS.items():
        made = SPECS[metric].family()
        assert isinstance(made, HistogramMetricFamily)
        for (_, sector), values in sorted(item for item in held.items() if item[0][0] == metric):
            below, buckets = 0.0, []
            for bound in (*(str(float(one)) for one in bounds), "+Inf"):
                below += values.get(bound, 0.0)
                buckets.append((bound, below))
            made.add_metric([sector], buckets, values.get(SUM, 0.0))
        if made.samples:
            yield made


def _names(connection: Connection, units: Sequence[str], pairs: Mapping[str, Samples], today: date) -> Iterator[Metric]:
    named = rows(connection, _UNITS, {"codes": list(units), "today": today})
    # A dossier may name a unit that nobody told of.
    told = {code for code, *_ in named}
    others = [(code, code, "") for code in sorted(set(units) - told - {""})]
    nameless = [(UNKNOWN, "Chưa rõ đơn vị", "")] if "" in units else []
    yield family("tthc_unit_info", [(row, 1) for row in (*named, *others, *nameless)])
    codes = {labels[1] for samples in pairs.values() for labels, _ in samples}
    procedures = rows(connection, _PROCEDURES, {"codes": sorted(codes)})
    missing = sorted(codes - {code for code, *_ in procedures} - {""})
    procedures += [(code, code, UNKNOWN) for code in missing]
    procedures += [(UNKNOWN, "Chưa rõ thủ tục", UNKNOWN)] if "" in codes else []
    yield family("tthc_procedure_info", [(row, 1) for row in procedures])
