"""The rules in force as a page that an official reads: title, basis, and the story of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules.model import Rule
from tthc_monitor.explanation_words import SEVERITY_WORDS

_ANSWERS = {
    "clear": "Không nêu",
    "not_applicable": "Không áp dụng",
    "cannot_tell": "Chưa xác định được",
}


def rules_page(rules: Sequence[Rule]) -> str:
    """Markdown in Vietnamese: one part per rule, with its worked examples."""
    return "\n".join(
        [
            "# Danh mục quy tắc",
            "",
            "Mỗi quy tắc trả lời một trong bốn câu: nêu (có phát hiện), không nêu, không áp dụng, chưa xác định được. Các ví",
            "dụ dưới đây được phần mềm chạy thử mỗi lần kiểm tra. Quy tắc *chính thức* quyết định kết luận đúng hạn hay trễ hạn",
            "của hồ sơ; các quy tắc khác đứng bên cạnh. Trang này do lệnh `tthc-monitor rules list --page` tạo ra.",
            *(line for rule in rules for line in _part(rule)),
            "",
        ]
    )


def _part(rule: Rule) -> Iterator[str]:
    official = ", quy tắc chính thức" if rule.verdict else ""
    yield ""
    yield f"## {rule.title}"
    yield ""
    yield f"`{rule.code}` · mức {SEVERITY_WORDS[rule.severity]}{official}"
    yield ""
    yield f"Căn cứ: {_sentence(rule.legal_basis)}"
    yield ""
    for example in rule.examples:
        if example.flagged is None:
            answer = _ANSWERS[example.answer]
        else:
            until = f" đến {_local(example.flagged.until)}" if example.flagged.until else ""
            answer = f"Nêu từ {_local(example.flagged.since)}{until}"
        yield f"- {_sentence(example.story)} **{answer}.**"


def _sentence(text: str) -> str:
    whole = " ".join(text.split())
    return whole if whole.endswith((".", "?", "!")) else f"{whole}."


def _local(instant: str) -> str:
    """``2026-10-05 07:30`` as ``07:30 05/10/2026``."""
    day, _, clock = instant.partition(" ")
    year, month, number = day.split("-")
    return f"{clock or '00:00'} {number}/{month}/{year}"
