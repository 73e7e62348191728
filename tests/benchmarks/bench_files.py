"""The files connector over a million rows, beside polars reading the same file with types.

The file is like a province's export: 14 columns, quoted addresses, Vietnamese texts, dates as people write them, names
and telephone numbers that are not mapped. Ours parses, checks every line, maps, normalises and gives UTC instants; polars
gets the schema and the dates' format told, so that it has nothing to guess, and does no more than that.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from connectors.base import Surroundings
from connectors.files import FilesConnector, FilesOptions
from tests.benchmarks.harness import Measurement, Run, Skip, at_most, at_most_times, benchmark

ROWS: Final = 1_000_000
DATES: Final = "%d/%m/%Y %H:%M:%S"
STATUSES: Final = {"Đang xử lý": 4, "Đã trả kết quả": 10, "Chờ bổ sung": 5, "Đã có kết quả": 9, "Từ chối": 3}
CHANNELS: Final = {"Trực tiếp": "direct", "Trực tuyến": "online", "Bưu chính": "postal"}
OPTIONS: Final[dict[str, Any]] = {
    "path": "list.csv",
    "zone": "Asia/Ho_Chi_Minh",
    "statuses": STATUSES,
    "columns": {
        "source_key": "Mã hồ sơ",
        "code": "Mã hồ sơ",
        "procedure_code": "Mã TTHC",
        "procedure_name": "Tên TTHC",
        "sector_name": "Lĩnh vực",
        "unit_code": "Đơn vị",
        "unit_name": "Đơn vị",
        "status": "Trạng thái",
        "channel": {"column": "Kênh", "lookup": CHANNELS},
        "received_at": {"column": "Ngày tiếp nhận", "format": DATES},
        "due_current": {"column": "Ngày hẹn trả", "format": DATES},
        "finished_at": {"column": "Ngày kết thúc", "format": DATES},
        "supplement_count": "Số lần bổ sung",
    },
}
TYPES: Final[dict[str, pl.DataType]] = {
    **{name: pl.String() for name in ("Mã hồ sơ", "Mã TTHC", "Tên TTHC", "Lĩnh vực", "Đơn vị", "Người nộp")},
    **{name: pl.String() for name in ("Điện thoại", "Địa chỉ", "Ngày tiếp nhận", "Ngày hẹn trả", "Ngày kết thúc")},
    **{name: pl.String() for name in ("Trạng thái", "Kênh")},
    "Số lần bổ sung": pl.Int16(),
}


def written(path: Path, rows: int) -> Path:
    """A made-up list of dossiers, the same one for the same number of rows."""
    rng = np.random.default_rng(2026)
    day = 86_400_000
    received = np.datetime64("2024-01-01T07:30:00", "ms") + rng.integers(0, 700 * day, rows).astype("timedelta64[ms]")
    frame = pl.DataFrame({
        "number": np.arange(rows),
        "received": received,
        "due": received + rng.integers(1, 30 * day, rows).astype("timedelta64[ms]"),
        "finished": received + rng.integers(1, 40 * day, rows).astype("timedelta64[ms]"),
        "unit": rng.integers(0, 200, rows),
        "procedure": rng.integers(0, 900, rows),
        "status": rng.choice(list(STATUSES), rows),
        "channel": rng.choice(list(CHANNELS), rows),
        "supplements": rng.integers(0, 3, rows),
        "open": rng.random(rows) < 0.2,
    })  # fmt: skip
    code = pl.format(
        "000.00.{}.H99-{}-{}",
        pl.col("unit").cast(pl.String).str.zfill(2),
        pl.col("received").dt.strftime("%y%m%d"),
        pl.col("number").cast(pl.String).str.zfill(7),
    )
    frame.select(
        code.alias("Mã hồ sơ"),
        pl.format("1.{}", pl.col("procedure").cast(pl.String).str.zfill(6)).alias("Mã TTHC"),
        pl.format("Thủ tục số {} về cấp giấy phép", "procedure").alias("Tên TTHC"),
        pl.format("Lĩnh vực {}", pl.col("procedure") % 40).alias("Lĩnh vực"),
        pl.format("UBND xã số {}", "unit").alias("Đơn vị"),
        pl.lit("Người nộp mẫu").alias("Người nộp"),
        pl.lit("0900000000").alias("Điện thoại"),
        pl.lit("Thôn 1, xã Mẫu, tỉnh Mẫu").alias("Địa chỉ"),
        pl.col("received").dt.strftime(DATES).alias("Ngày tiếp nhận"),
        pl.col("due").dt.strftime(DATES).alias("Ngày hẹn trả"),
        pl.when(~pl.col("open")).then(pl.col("finished").dt.strftime(DATES)).alias("Ngày kết thúc"),
        pl.col("status").alias("Trạng thái"),
        pl.col("channel").alias("Kênh"),
        pl.col("supplements").alias("Số lần bổ sung"),
    ).write_csv(path)
    return path


@contextmanager
def a_list(rows: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield written(Path(folder) / "list.csv", rows)


def ours(path: Path, rows: int) -> None:
    options = FilesOptions.model_validate(OPTIONS)
    files = FilesConnector("list", options, Surroundings(lambda: datetime.now(UTC), path.parent))
    good = sum(files.normalise(page).records.height for page in files.fetch(None))
    assert good == rows


def told(path: Path, rows: int) -> None:
    dates = pl.col("Ngày tiếp nhận", "Ngày hẹn trả", "Ngày kết thúc").str.strptime(pl.Datetime("us"), DATES)
    assert pl.scan_csv(path, schema=TYPES).with_columns(dates).collect().height == rows


def guessed(path: Path, rows: int) -> None:
    assert pl.read_csv(path, try_parse_dates=True).height == rows


@benchmark("files.csv", what="a CSV list parsed, mapped and normalised", budget=at_most_times(3))
def csv(run: Run) -> list[Measurement]:
    rows = run.rows(ROWS)
    with a_list(rows) as path:
        return [
            run.measure("files connector", lambda: ours(path, rows), rows=rows),
            run.measure("polars, schema and date format told", lambda: told(path, rows), rows=rows),
            run.measure("polars, try_parse_dates", lambda: guessed(path, rows), rows=rows),
        ]


PEAK: Final = """
import sys
from pathlib import Path
from tests.benchmarks.bench_files import ours
ours(Path(sys.argv[1]), int(sys.argv[2]))
# Not ru_maxrss, which begins with that of the parent.
print(next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM")))
"""


def peak_mb(rows: int) -> float:
    """Most memory that a fresh process took for so many rows, in MB."""
    with a_list(rows) as path:
        call = [sys.executable, "-c", PEAK, str(path), str(rows)]
        done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return int(done.stdout) / 1024


@benchmark("files.memory", what="peak memory over that of a quarter of the rows", budget=at_most(100, "MB"))
def memory(run: Run) -> list[Measurement]:
    """What 750,000 rows more take, page by page: nothing, but for the allocator's whims."""
    if sys.platform != "linux":
        raise Skip("peak memory is told in other units here")
    rows = run.rows(ROWS)
    few, many = peak_mb(rows // 4), peak_mb(rows)
    note = f"{few:.0f} MB for {rows // 4:,} rows, {many:.0f} MB for {rows:,}"
    more = max(0.0, many - few)
    return [Measurement("files connector", more, rows, more, more, 1, note, unit="MB")]
