"""What would change under other rules, another calendar or other limits: judged both ways, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import polars as pl
from sqlalchemy import Connection, Engine

from rules.grounds import Finding, Grounds, judge_all, judge_groups
from rules.model import Rule
from rules.registry import KINDS
from tthc_monitor.domain.facts import facts_frame
from tthc_monitor.findings import flags_of
from tthc_monitor.store import groups, judgements, selection
from tthc_monitor.store.database import session
from tthc_monitor.workload import Change, difference

DIFFERENCES: dict[str, pl.DataType] = {
    "dossier_id": pl.Int64(),
    "rule_code": pl.String(),
    "change": pl.String(),
    "starts_before": pl.Datetime("us", "UTC"),
    "ends_before": pl.Datetime("us", "UTC"),
    "starts_after": pl.Datetime("us", "UTC"),
    "ends_after": pl.Datetime("us", "UTC"),
    "unit_code": pl.String(),
    "procedure_code": pl.String(),
}
"""A finding that would be new (``opened``), would go (``closed``) or would lie elsewhere (``moved``)."""

VERDICTS: dict[str, pl.DataType] = {
    "dossier_id": pl.Int64(),
    "unit_code": pl.String(),
    "procedure_code": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
}
"""A dossier whose official verdict at the instant asked about would be another."""


@dataclass(frozen=True)
class WhatIf:
    """The answer: how many dossiers were judged both ways, which verdicts and which findings would differ."""

    judged: int
    verdicts: pl.DataFrame
    findings: pl.DataFrame


def whatif(
    engine: Engine,
    before: Grounds,
    after: Grounds,
    at: datetime,
    progress: Callable[[int], None] | None = None,
) -> WhatIf:
    """Judge by two sets of grounds what the difference between them can touch, and compare.

    Args:
        at: aware instant of the verdicts.
        progress: told how many dossiers were judged with each chunk.
    """
    change = difference(before, after)
    judged, verdicts, found = 0, [pl.DataFrame(schema=VERDICTS)], [pl.DataFrame(schema=DIFFERENCES)]
    with session(engine) as connection:
        try:
            for query in _queries(connection, change):
                facts = judgements.load_facts(connection, query)
                old, new = (_single(facts, grounds, change) for grounds in (before, after))
                verdicts.append(_verdicts_differ(facts, (old, before), (new, after), at))
                found.append(_differ(old, new))
                judged += facts.height
                if progress is not None:
                    progress(facts.height)
            found += _group_differences(connection, before, after)
        finally:
            connection.rollback()
    return WhatIf(judged, pl.concat(verdicts), pl.concat(found))


def _queries(connection: Connection, change: Change | None) -> Sequence[str]:
    if change is None or change.codes:
        return list(selection.of_all(connection))
    return selection.where(connection, change.conditions)


def _ids(grounds: Grounds) -> dict[str, int]:
    return {rule.code: number for number, rule in enumerate(grounds.rules)}


def _single(facts: pl.DataFrame, grounds: Grounds, change: Change | None) -> pl.DataFrame:
    """Findings on these facts, of the rules that may differ and of those that decide the verdict."""
    rules = grounds.single_rules
    if change is not None and not change.conditions:
        rules = tuple(rule for rule in rules if rule.code in change.codes or rule.verdict is not None)
    return _coded(flags_of(judge_all(facts_frame(facts), grounds, rules), facts, _ids(grounds)), grounds)


def _coded(flags: pl.DataFrame, grounds: Grounds) -> pl.DataFrame:
    """Flags with the code of their rule instead of its number."""
    codes = pl.DataFrame(
        {"rule_version_id": range(len(grounds.rules)), "rule_code": [rule.code for rule in grounds.rules]},
        schema={"rule_version_id": pl.Int32(), "rule_code": pl.String()},
    )
    return flags.join(codes, on="rule_version_id", how="left")


def _differ(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    key = ["dossier_id", "rule_code"]
    both = before.join(after, on=key, how="full", coalesce=True, suffix="_after")
    change = (
        pl.when(pl.col("starts_at").is_null())
        .then(pl.lit("opened"))
        .when(pl.col("starts_at_after").is_null())
        .then(pl.lit("closed"))
        .when(pl.col("starts_at").ne(pl.col("starts_at_after")) | pl.col("ends_at").ne_missing(pl.col("ends_at_after")))
        .then(pl.lit("moved"))
    )
    return (
        both.with_columns(change.alias("change"))
        .drop_nulls("change")
        .select(
            "dossier_id",
            "rule_code",
            "change",
            pl.col("starts_at").alias("starts_before"),
            pl.col("ends_at").alias("ends_before"),
            pl.col("starts_at_after").alias("starts_after"),
            pl.col("ends_at_after").alias("ends_after"),
            pl.coalesce("unit_code", "unit_code_after").alias("unit_code"),
            pl.coalesce("procedure_code", "procedure_code_after").alias("procedure_code"),
        )
        .cast(DIFFERENCES)  # type: ignore[arg-type]
    )


def verdicts_at(facts: pl.DataFrame, flags: pl.DataFrame, rules: Sequence[Rule], at: datetime) -> pl.DataFrame:
    """The official verdict on each dossier at an instant, as ``audit.verdicts_as_of`` gives it, from flags in memory.

    Args:
        facts: the dossiers.
        flags: found on them, with ``rule_code``.

    Returns:
        dossier_id and verdict.
    """
    official = {rule.code: rule.verdict for rule in rules if rule.verdict is not None}
    in_force = (
        flags.filter(
            pl.col("rule_code").is_in(list(official))
            & (pl.col("starts_at") <= at)
            & (pl.col("ends_at").is_null() | (pl.col("ends_at") > at))
        )
        .with_columns(pl.col("rule_code").replace_strict(official, return_dtype=pl.String()).alias("found"))
        .sort(pl.col("found") == "cannot_tell", maintain_order=True)
        .unique("dossier_id", keep="first", maintain_order=True)
        .select("dossier_id", "found")
    )
    ended = pl.coalesce("ended_at", "end_seen_at") <= at
    verdict = (
        pl.when(pl.col("received_at").is_null() | (pl.col("received_at") > at))
        .then(pl.lit("not_received"))
        .when(pl.col("found").is_not_null())
        .then(pl.col("found"))
        .when(ended)
        .then(pl.lit("on_time"))
        .otherwise(pl.lit("open_in_time"))
    )
    return facts.join(in_force, on="dossier_id", how="left").select("dossier_id", verdict.alias("verdict"))


def _verdicts_differ(
    facts: pl.DataFrame,
    before: tuple[pl.DataFrame, Grounds],
    after: tuple[pl.DataFrame, Grounds],
    at: datetime,
) -> pl.DataFrame:
    sides = [
        verdicts_at(facts, flags, grounds.rules, at).rename({"verdict": name})
        for name, (flags, grounds) in (("before", before), ("after", after))
    ]
    return (
        facts.select("dossier_id", "unit_code", "procedure_code")
        .join(sides[0], on="dossier_id")
        .join(sides[1], on="dossier_id")
        .filter(pl.col("before") != pl.col("after"))
    )


def _group_differences(connection: Connection, before: Grounds, after: Grounds) -> Iterable[pl.DataFrame]:
    """Groups are compared over the whole store: a rule may flag what no changed day touches."""
    groupings = {KINDS[rule.kind].groups for grounds in (before, after) for rule in grounds.group_rules}
    for grouping in sorted(str(one) for one in groupings):
        sides: list[pl.DataFrame] = []
        for grounds in (before, after):
            rules = [rule for rule in grounds.group_rules if KINDS[rule.kind].groups == grouping]
            smallest = min((KINDS[rule.kind].smallest_group(rule) for rule in rules), default=2)
            groups.all_of(connection, grouping, grounds.calendars.zone, smallest)
            flags = [
                _judged_group(judgements.load_members(connection, first, last), grounds, rules)
                for first, last in groups.bounds(connection, selection.CHUNK)
            ]
            sides.append(_coded(pl.concat([flags_of([], None, {}), *flags]), grounds))
        yield _differ(*sides)


def _judged_group(facts: pl.DataFrame, grounds: Grounds, rules: Sequence[Rule]) -> pl.DataFrame:
    frame: pd.DataFrame = facts_frame(facts).assign(group=facts["group"].to_numpy())
    found: Iterable[Finding] = judge_groups(frame, grounds, rules)
    return flags_of(found, facts, _ids(grounds))
