"""Word templates: values are text whatever is in them, and what is wrong with a template is said with its place."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from markupsafe import Markup

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.outputs.word_fields import Kind, Shape
from tthc_monitor.outputs.word_template import Properties, open_template, render, require_fields

SHAPE: Mapping[str, Shape] = {
    "ten": Kind.TEXT,
    "so": {"tong": Kind.TEXT},
    "dong": [{"ma": Kind.TEXT, "con": [{"ten": Kind.TEXT}]}],
    "ke": Kind.RUN,
}
ABOUT = Properties("Báo cáo & <thử>", "Văn phòng", datetime(2026, 11, 1, tzinfo=UTC))


def word(*lines: str) -> bytes:
    """A Word file with these paragraphs."""
    document = Document()
    for line in lines:
        document.add_paragraph(line)
    return saved(document)


def saved(document: Any) -> bytes:
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def filled(path: Path, content: bytes, **values: Any) -> Any:
    template = open_template("mau.docx", content)
    render(template, values, path / "ra.docx", ABOUT, template.parts)
    return Document(str(path / "ra.docx"))


def lines_of(document: Any) -> list[str]:
    return [paragraph.text for paragraph in document.paragraphs]


@pytest.mark.parametrize(
    "name",
    [
        "A & B <Sở> \"Y\" 'tế'",
        "{{ so.tong }}",
        "{% raw %}{{ 7*7 }}",
        "%}",
        "}} {{",
        "{_{ ten }_} {_% %_}",
        "{%p if x %}",
        "]]> <!-- &amp; &#x41; -->",
        "=HYPERLINK(1)",
        "\u202eđảo",
        "𠀀 😀",
    ],
)
def test_a_name_comes_out_as_it_is(tmp_path: Path, name: str) -> None:
    assert lines_of(filled(tmp_path, word("Đơn vị: {{ ten }}."), ten=name)) == [f"Đơn vị: {name}."]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\x00b\x0bc\ufffe", "a�b�c�"), ("a\nb\tc\r\n\u2028d", "a b c d"), ("\ud800", "�"), ("a\x07b\x0cc", "a�b�c")],
)
def test_what_a_file_cannot_hold_is_shown_as_missing(tmp_path: Path, name: str, shown: str) -> None:
    assert (
        lines_of(filled(tmp_path, word("{{ ten }}|{{ ten|upper|lower|join('') }}"), ten=name))[0].split("|")[0] == shown
    )


def test_numbers_and_shares_are_written_in_vietnamese(tmp_path: Path) -> None:
    document = filled(tmp_path, word("{{ a }}; {{ b }}; {{ c }}; {{ d }}"), a=1234567, b=Decimal("98.2"), c=None, d=0)
    assert lines_of(document) == ["1.234.567; 98,20\N{NO-BREAK SPACE}%; không có dữ liệu; 0"]


def test_rows_and_paragraphs_repeat(tmp_path: Path) -> None:
    document = Document()
    document.add_paragraph("{%p for d in dong %}")
    document.add_paragraph("- {{ d.ma }}")
    document.add_paragraph("{%p endfor %}")
    table = document.add_table(3, 2)
    for row, texts in enumerate(
        (("{%tr for d in dong %}", ""), ("{{ loop.index }}", "{{ d.ma }}"), ("{%tr endfor %}", ""))
    ):
        for column, value in enumerate(texts):
            table.cell(row, column).text = value
    made = filled(tmp_path, saved(document), dong=[{"ma": "A"}, {"ma": "<B>"}])
    assert lines_of(made) == ["- A", "- <B>"]
    assert [[cell.text for cell in row.cells] for row in made.tables[0].rows] == [["1", "A"], ["2", "<B>"]]


def test_a_field_that_word_cut_into_runs_is_whole(tmp_path: Path) -> None:
    document = Document()
    paragraph = document.add_paragraph("Tên: {")
    for part in ("{ t", "en", " }", "} (hết)"):
        paragraph.add_run(part).bold = True
    assert lines_of(filled(tmp_path, saved(document), ten="Sở Y tế")) == ["Tên: Sở Y tế (hết)"]


def test_curly_quotes_of_word_are_quotes(tmp_path: Path) -> None:
    assert lines_of(filled(tmp_path, word("{{ “, ”.join(ten) }}"), ten=["a", "b"])) == ["a, b"]


def test_headers_are_filled_too(tmp_path: Path) -> None:
    document = Document()
    document.sections[0].header.paragraphs[0].text = "{{ ten }}"
    made = filled(tmp_path, saved(document), ten="A & B")
    assert made.sections[0].header.paragraphs[0].text == "A & B"


def test_a_drawing_stands_in_for_its_run(tmp_path: Path) -> None:
    run = Markup(f'<w:r xmlns:w="{qn("w:r")[1:].partition("}")[0]}"><w:t>nét</w:t></w:r>')  # noqa: S704
    assert lines_of(filled(tmp_path, word("{{r ke }}"), ke=run)) == ["nét"]


def test_the_same_values_give_the_same_bytes_and_the_file_says_what_it_is(tmp_path: Path) -> None:
    content, made = word("{{ ten }}"), []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        document = filled(tmp_path / name, content, ten="x")
        made.append((tmp_path / name / "ra.docx").read_bytes())
    assert made[0] == made[1]
    core = document.core_properties
    assert (core.title, core.author, core.created) == (
        "Báo cáo & <thử>",
        "Văn phòng",
        datetime(2026, 11, 1, tzinfo=UTC),
    )
    with zipfile.ZipFile(tmp_path / "b" / "ra.docx") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# -- templates that are wrong ---------------------------------------------------------------------------------------


def problems(content: bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        require_fields(open_template("mau.docx", content), SHAPE)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("Tên {{ tenn }} của đơn vị", "unknown field 'tenn' (did you mean 'ten'?)"),
        ("{{ so.tonng }}", "unknown field 'so.tonng' (did you mean 'tong'?)"),
        ("{% for d in dong %}{{ d.mã }}{% endfor %}", "unknown field 'd.mã'"),
        ("{% for d in dong %}{% for c in d.con %}{{ c.ma }}{% endfor %}{% endfor %}", "unknown field 'c.ma'"),
        (
            "{% for p in (dong|batch(9)|list) or [[]] %}{% for d in p %}{{ d.mo }}{% endfor %}{% endfor %}",
            "unknown field 'd.mo'",
        ),
        ("{% for d in dongs %}{% endfor %}", "unknown field 'dongs'"),
        ("{% set x = so %}{{ x.khong }}", "unknown field 'x.khong'"),
        ("{{ dong[0].khong }}", "unknown field '….khong'"),
        ("{{ ten.khong }}", "unknown field 'ten.khong'"),
        ("{% if khong_co %}a{% endif %}", "unknown field 'khong_co'"),
        ("{{ ke }}", "'ke' is a drawing"),
    ],
)
def test_an_unknown_field_is_named_with_its_paragraph(line: str, named: str) -> None:
    (said,) = problems(word("Đoạn đầu", "{{ ten }}", line))
    assert said.startswith(f"mau.docx:3: {named}") and f"“{line}”" in said


def test_all_unknown_fields_are_told_at_once_those_of_headers_too() -> None:
    document = Document()
    document.add_paragraph("{{ mot }} {{ ten }} {{ hai }}")
    document.sections[0].header.paragraphs[0].text = "{{ ba }}"
    said = problems(saved(document))
    assert [line.split("'")[1] for line in said] == ["mot", "hai", "ba"]
    assert "header" in said[2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{{ ten", "ra.docx|mau.docx"),
        ("{% for d in dong %}", "mau.docx"),
        ("{% nonsense %}", "nonsense"),
        ("{{ ten|khong_co }}", "khong_co"),
    ],
)
def test_what_jinja_cannot_read_is_told_with_its_text(line: str, said: str) -> None:
    (told,) = problems(word("Đoạn đầu", line))
    assert any(part in told for part in said.split("|")) and told.startswith("mau.docx")


@pytest.mark.parametrize(
    "line",
    [
        "{{ 1 // 0 }}",
        "{{ ten.__class__.__mro__ }}",
        "{{ ten + 1 }}",
        "{{ range(999999999)|list }}",
        "{% include 'x' %}",
    ],
)
def test_what_cannot_be_computed_is_told_and_leaves_nothing(tmp_path: Path, line: str) -> None:
    from tthc_monitor.outputs.whole_file import write_whole

    template = open_template("mau.docx", word("Đoạn đầu", f"Xem: {line}"))
    with pytest.raises(ConfigError, match=r"mau\.docx.*; correct the field or tag there"):
        write_whole(tmp_path / "ra.docx", lambda path: render(template, {"ten": "x"}, path, ABOUT, template.parts))
    assert not list(tmp_path.iterdir())


def test_tags_that_tear_the_file_apart_are_told(tmp_path: Path) -> None:
    content = word("{% if ten %}a", "b{% endif %}{% if not ten %}", "c{% endif %}")
    document = Document(BytesIO(content))
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "{% if not ten %}", "x{% endif %}"
    table.cell(0, 1)._tc.append(parse_xml(f'<w:p xmlns:w="{qn("w:p")[1:].partition("}")[0]}"/>'))
    document.add_paragraph("{%p if ten %}{% if not ten %}")
    with pytest.raises(ConfigError, match=r"mau\.docx"):
        filled(tmp_path, saved(document), ten="x")


def changed(content: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    change(kept)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in kept.items():
            archive.writestr(name, part)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a zip", r"mau\.docx is not a Word file"),
        (changed(word(), lambda parts: parts.clear()), "save it as .docx"),
        (changed(word(), lambda parts: parts.pop("word/document.xml")), "save it as .docx"),
        (
            changed(word(), lambda parts: parts.update({"word/media/x": b"0" * 50_000_001})),
            "more than 50,000,000 bytes",
        ),
    ],
)
def test_a_file_that_is_no_template_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_template("mau.docx", content)


def test_a_damaged_part_is_told() -> None:
    content = changed(word(), lambda parts: parts.update({"word/document.xml": b"<w:document"}))
    with pytest.raises(ConfigError, match=r"mau\.docx is damaged in word/document\.xml"):
        require_fields(open_template("mau.docx", content), SHAPE)
