"""Issuing a report: its figures are frozen, its files kept with what they were made from; and what changed since."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import structlog

from tthc_monitor import judging
from tthc_monitor.domain.errors import BusyError, ConfigError, DeliveryError
from tthc_monitor.domain.periods import Period
from tthc_monitor.installation import Installation
from tthc_monitor.outbox_report import file_stem
from tthc_monitor.outputs.report import IssuedPaper, build_report
from tthc_monitor.outputs.report_docx import shipped_template
from tthc_monitor.outputs.report_files import Step, make_writer
from tthc_monitor.outputs.report_units import read_scope
from tthc_monitor.outputs.sealed import read_ledger_head
from tthc_monitor.outputs.whole_file import require_folder
from tthc_monitor.reissue import write_files
from tthc_monitor.report_settings import ReportFormat, ReportSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.erratum import ErratumOfPeriod, read_erratum
from tthc_monitor.store.frozen import Frozen, freeze, hold_evaluations, read_frozen
from tthc_monitor.store.issued import Issue, IssueScope, ReportFile, find_issue
from tthc_monitor.store.issued_keeping import keep_issue, newest_digest, read_made_from, read_said_by_people

log = structlog.get_logger(__name__)


def issue_report(
    installation: Installation,
    period: Period,
    folder: Path,
    scope: IssueScope,
    formats: Sequence[ReportFormat],
    step: Step = nullcontext,
    *,
    person: str,
    number: str = "",
) -> tuple[Issue, list[Path]]:
    """Freeze the figures of a period unless they are, make the report, keep its files for good, and write them.

    Figures, lists and files are of one moment: no evaluation goes on meanwhile, and what comes in stops it. What fails leaves nothing behind; only the
    writing into ``folder`` comes last, when the report is issued already.

    Args:
        person: who issues it; recorded.
        number: number and symbol of the document, such as 05/BC-VPUB.

    Raises:
        ConfigError: the period has not ended, nobody is named, the report was issued before, or it cannot be made.
        BusyError: records came in meanwhile; nothing was issued.
        DeliveryError: the folder cannot be written, which is tried first; should it fail afterwards all the same, the
            message says that the report is issued.
    """
    settings, person, number = installation.settings, person.strip(), " ".join(number.split())
    if not person:
        raise ConfigError("a report is issued by somebody; give the name with --by")
    writer = make_writer(settings.report, settings.base_dir, formats)
    require_folder(folder)
    judging.refresh(installation)
    with tempfile.TemporaryDirectory(prefix="tthc-issue-") as apart, transaction(installation.engine) as connection:
        now = installation.now()
        with step(f"figures of {period.name}"):
            hold_evaluations(connection)
            newest = read_ledger_head(connection, period.zone)
            if read_frozen(connection, period) is None:
                freeze(connection, period, person, now)
            report = build_report(
                connection,
                period,
                now,
                settings.calendar.compile(),
                settings=settings.report,
                base_dir=settings.base_dir,
                units=list(scope.units) or None,
                subtree=scope.subtree,
                units_as=scope.units_as,
            )
            report = replace(report, paper=IssuedPaper(number, now, newest_digest(connection)))
            if read_ledger_head(connection, period.zone) != newest:
                # They would be in the lists, and not in the figures.
                raise BusyError(
                    f"records came in while the report of {period.name} was made, so nothing was issued; repeat it"
                )
        stem = file_stem(period, scope.units, subtree=scope.subtree, units_as=scope.units_as)
        writer.write(report, Path(apart) / stem, step)
        files = _gathered(Path(apart))
        made_from = read_made_from(
            connection,
            template=_template_hash(settings.report, settings.base_dir),
            settings=_settings_hash(settings.report, settings.base_dir, read_said_by_people(connection)),
            program=version("tthc-monitor"),
        )
        issue = keep_issue(connection, period, scope, files, made_from, number=number, person=person, at=now)
    log.info("report_issued", period=period.name, issue=issue.issue_id, digest=issue.digest)
    try:
        return issue, write_files(files, folder)
    except DeliveryError as error:
        raise DeliveryError(
            f"{period.name} IS issued (issue {issue.issue_id}, digest {issue.digest}), only its files are not written: "
            f"{error}; then run: tthc-monitor report monthly"
        ) from error


def report_erratum(
    installation: Installation, period: Period, scope: IssueScope
) -> tuple[Frozen, Issue | None, ErratumOfPeriod]:
    """Who froze a period, the issued report of these units if there is one, and the dossiers that stand elsewhere now.

    Raises:
        ConfigError: the period is not frozen, or a unit is not known.
    """
    judging.refresh(installation)
    with transaction(installation.engine) as connection:
        frozen = read_frozen(connection, period)
        if frozen is None:
            raise ConfigError(
                f"the period {period.name} is not frozen, so it has no errata; run: tthc-monitor report issue, or report "
                "freeze"
            )
        units = read_scope(
            connection,
            period,
            period.end,
            installation.now(),
            units=list(scope.units) or None,
            subtree=scope.subtree,
            units_as="then",
        ).before
        return frozen, find_issue(connection, period, scope), read_erratum(connection, period, units)


def _gathered(folder: Path) -> list[ReportFile]:
    files = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name = path.relative_to(folder)
        files.append(ReportFile(name.as_posix(), path.suffix.lstrip("."), path.read_bytes()))
    return files


def _template_hash(report: ReportSettings, base_dir: Path) -> str:
    own = report.template
    content = shipped_template() if own is None else (base_dir / Path(own).expanduser()).read_bytes()
    return sha256(content).hexdigest()


def _settings_hash(report: ReportSettings, base_dir: Path, said: str) -> str:
    """Of the report's part of the configuration, of the files that it names, and of what people said."""
    digest = sha256(report.model_dump_json().encode() + b"\0" + said.encode())
    for name, value in sorted(report.model_dump().items()):
        if name.endswith("_file") and isinstance(value, str):
            digest.update(
                b"\0" + name.encode() + b"\0" + sha256((base_dir / Path(value).expanduser()).read_bytes()).digest()
            )
    return digest.hexdigest()
