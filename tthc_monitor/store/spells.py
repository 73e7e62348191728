"""Spells of waiting for the applicant, in SQL: the one definition for the projection and for the facts."""

from __future__ import annotations

from tthc_monitor.domain.statuses import Status


def requested(what: str) -> str:
    """SQL: when the latest wait of a dossier ``d`` began: as claimed, else when we first saw its status.

    Args:
        what: ``supplement`` or ``obligation``.
    """
    return f"coalesce(d.{what}_requested_at, d.{what}_seen_at)"


def completed(what: str, status: Status) -> str:
    """SQL: when that wait ended, null when it goes on or nothing tells.

    Claimed; else seen to go on; else, of a dossier that goes on, when we first saw it do so. A dossier that ends while
    it waits was never answered.

    Args:
        status: the national status of such a wait.
    """
    since = requested(what)
    return f"""
        CASE WHEN d.{what}_completed_at > {since} THEN d.{what}_completed_at
             WHEN d.status = {int(status)} THEN NULL
             WHEN d.{what}_left_at > {since} THEN d.{what}_left_at
             WHEN d.finished_at IS NULL AND d.delivered_at IS NULL AND d.end_seen_at IS NULL
                  AND d.status_seen_at > {since} THEN d.status_seen_at END"""
