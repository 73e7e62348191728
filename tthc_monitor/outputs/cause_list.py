"""The list of causes that a report goes by: the office's own, else the shipped one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tthc_monitor.domain.causes import CauseList, parse_causes
from tthc_monitor.domain.errors import ConfigError

_SHIPPED: Final = Path(__file__).with_name("templates") / "nguyen-nhan.yaml"


def shipped_causes() -> str:
    """The shipped list as it is written, for those who make their own of it."""
    return _SHIPPED.read_text(encoding="utf-8")


def load_causes(file: str | None, base_dir: Path) -> CauseList:
    """The list of causes.

    Args:
        file: setting ``report.causes_file``, relative to ``base_dir``; None: the shipped one.

    Raises:
        ConfigError: the file cannot be read, or every problem in it with its line.
    """
    if file is None:
        return parse_causes(shipped_causes(), _SHIPPED.name)
    path = base_dir / file
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; correct report.causes_file") from None
    return parse_causes(text, str(path))
