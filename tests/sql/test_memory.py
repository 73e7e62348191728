"""Memory does not grow with the rows of a source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.sql.epar import OPTIONS, make_tables
from tests.sql.servers import PASSWORD, Source

ROWS = 200_000
READ = """
import json, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from connectors.base import Surroundings
from connectors.sql import SqlConnector, SqlOptions

sql = SqlConnector("a", SqlOptions.model_validate(json.loads(sys.argv[1])), Surroundings(lambda: datetime.now(UTC), Path()))
read, peaks = 0, []
for page in sql.fetch(None):
    read += sql.normalise(page).records.height
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(json.dumps([read, peaks]))
"""


def test_the_peak_of_a_tenth_is_the_peak_of_the_whole(postgres: Source) -> None:
    make_tables(postgres)
    postgres.run(
        f"""
        INSERT INTO t_record (pk_record, c_code, fk_unit, c_status, c_receive_date, c_updated, c_citizen_name, c_xml_data)
        SELECT i, '000.00.01.H99-' || i, 1 + i % 2, 'DANG_XU_LY', timestamp '2026-01-05' + i * interval '1 minute',
               now(), 'x', repeat('<v/>', 100)
        FROM generate_series(1, {ROWS}) i
        """,
        "ANALYZE t_record",
    )
    options = {**OPTIONS, "url": postgres.url, "password": PASSWORD}
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(options)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    read, peaks = json.loads(done.stdout)
    assert read == ROWS
    assert len(peaks) == ROWS // 5_000 + 1
    kibibytes = peaks[-1] - peaks[len(peaks) // 10 + 1]
    # The rows alone, kept as texts, would take some 60 MB.
    assert kibibytes < 25_000
