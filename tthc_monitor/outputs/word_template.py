"""A Word file as a template: fields between ``{{ }}``, tags between ``{% %}``, in the manner of docxtpl.

The parts are rendered straight into the new file and never held as a tree, so a table of any number of rows costs
time but no memory. Values are text whatever is in them: neither markup nor fields.
"""

from __future__ import annotations

import re
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from lxml import etree
from markupsafe import Markup

from tthc_monitor.domain.errors import ConfigError, Problem
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.word_fields import Shape, paragraphs, problems_in, quoted, safe_parser

_LARGEST: Final = 50_000_000
_DOCUMENT_TYPE: Final = "wordprocessingml.document.main+xml"
_RENDERED: Final = re.compile(r"word/(document|header|footer|footnotes|endnotes)\d*\.xml")
_CORE: Final = "docProps/core.xml"
_ALL_DATES: Final = (1980, 1, 1, 0, 0, 0)
_PIECES: Final = 4000
# XML has no place for these; a reader must see that something was there.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BREAKS: Final = re.compile("[\t\n\r\u2028\u2029]+")


@dataclass(frozen=True)
class Properties:
    """What the file says of itself."""

    title: str
    author: str
    made_at: datetime


@dataclass(frozen=True)
class WordTemplate:
    """A template that was opened: its name for messages, and the parts of the file in their order."""

    name: str
    parts: Mapping[str, bytes] = field(repr=False)

    @property
    def rendered_parts(self) -> list[str]:
        """Names of the parts in which fields may stand."""
        return [name for name in self.parts if _RENDERED.fullmatch(name)]

    def names(self, field_name: str) -> bool:
        """Whether a field stands in the text."""
        wanted = re.compile(rf"\{{[{{%].*\b{re.escape(field_name)}\b")
        return any(wanted.search(text) for text in paragraphs(self.parts["word/document.xml"]))


def open_template(name: str, content: bytes) -> WordTemplate:
    """Open a Word file.

    Raises:
        ConfigError: it is none, or far too large.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST:
                raise ConfigError(
                    f"the template {name} unpacks to more than {_LARGEST:,} bytes; make its pictures smaller"
                )
            parts = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ConfigError(
            f"the template {name} is not a Word file ({error}); save it as a Word document (.docx)"
        ) from None
    typed = _DOCUMENT_TYPE.encode() in parts.get("[Content_Types].xml", b"")
    if not typed or not {"word/document.xml", "word/_rels/document.xml.rels"} <= parts.keys():
        raise ConfigError(f"the template {name} is not a Word document without macros; save it as .docx")
    return WordTemplate(name, parts)


def require_fields(template: WordTemplate, shape: Mapping[str, Shape]) -> None:
    """Refuse a template that asks for what there is not.

    Raises:
        ConfigError: every unknown field with its paragraph, or what Jinja cannot read.
    """
    environment = _environment()
    problems: list[Problem] = []
    for part in template.rendered_parts:
        file = template.name if part == "word/document.xml" else f"{template.name} ({part})"
        source = _source(template, part)
        try:
            problems += problems_in(environment, source, paragraphs(template.parts[part]), shape, file)
        except TemplateSyntaxError as error:
            problems.append(_problem(template, source, error.lineno, str(error.message)))
    if problems:
        raise ConfigError(problems)


def render(
    template: WordTemplate,
    values: Mapping[str, Any],
    path: Path,
    properties: Properties,
    parts: Mapping[str, bytes],
) -> None:
    """Fill a template into a new file. The same template and values give the same bytes.

    Args:
        values: whole numbers and decimals (shares in percent) are written in the Vietnamese manner, None as
            :data:`~tthc_monitor.outputs.wording.NO_DATA`, ``Markup`` as it is.
        parts: of the new file: those of the template, with what is added to them.

    Raises:
        ConfigError: the template cannot be filled.
        OSError: the file cannot be written.
    """
    environment = _environment()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, _ALL_DATES)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            if not _RENDERED.fullmatch(name):
                archive.writestr(info, _core(properties) if name == _CORE else content)
                continue
            with archive.open(info, "w", force_zip64=True) as target:
                for text in _rendered(environment, template, name, values):
                    target.write(text)


def _rendered(
    environment: ImmutableSandboxedEnvironment, template: WordTemplate, part: str, values: Mapping[str, Any]
) -> Iterator[bytes]:
    source = _source(template, part)
    checked = expat.ParserCreate()
    try:
        pieces = environment.from_string(source).generate(values)
        while text := "".join(islice(pieces, _PIECES)):
            chunk = text.encode()
            checked.Parse(chunk, False)
            yield chunk
        checked.Parse(b"", True)
    except expat.ExpatError as error:
        raise ConfigError(
            f"the template {template.name} gives a broken file ({error}); make each {{% %}} begin and end in a paragraph, "
            "row ({%tr %}) or cell ({%tc %}) of its own"
        ) from None
    except TemplateSyntaxError as error:
        raise ConfigError([_problem(template, source, error.lineno, str(error.message))]) from None
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
        raise ConfigError([_problem(template, source, lines[-1] if lines else None, str(error))]) from None


def _problem(template: WordTemplate, source: str, line: int | None, said: str) -> Problem:
    text = source.splitlines()[line - 1] if line else ""
    text = quoted(re.sub(r"<[^>]*>", "", text))
    number = next(
        (
            number
            for number, each in enumerate(paragraphs(template.parts["word/document.xml"]), start=1)
            if text and quoted(each) == text
        ),
        None,
    )
    return Problem(template.name, number, f"{said.rstrip('.')}, in “{text}”; correct the field or tag there")


def _source(template: WordTemplate, part: str) -> str:
    """A part as Jinja reads it, each paragraph on a line of its own."""
    try:
        xml = etree.tostring(etree.fromstring(template.parts[part], safe_parser()), encoding="unicode")
    except etree.XMLSyntaxError as error:
        raise ConfigError(f"the template {template.name} is damaged in {part}: {error}; save it anew in Word") from None
    patched: str = DocxTemplate(BytesIO()).patch_xml(xml.replace("\n", " "))
    return re.sub(r"<w:p([ >])", r"\n<w:p\1", patched)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = _Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_finalized, keep_trailing_newline=True
    )
    environment.globals = {"range": environment.globals["range"]}
    return environment


class _Environment(ImmutableSandboxedEnvironment):
    """Of a list's row a field is nothing but a field: hundreds of thousands of them are asked for."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _finalized(value: Any) -> Any:
    if type(value) is str:
        return clean(value)
    if isinstance(value, Markup):
        return value
    if value is None or isinstance(value, Decimal):
        return wording.percent(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return wording.number(value)
    return clean(value) if isinstance(value, str) else value


# The same names stand in row after row.
@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """Text that XML can hold: what it cannot is shown as U+FFFD, breaks are spaces."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text))


def _core(properties: Properties) -> bytes:
    at = f"{properties.made_at:%Y-%m-%dT%H:%M:%SZ}"
    title, author = (escape(clean(text)) for text in (properties.title, properties.author))
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><cp:lastModifiedBy>{author}</cp:lastModifiedBy>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{at}</dcterms:created>'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{at}</dcterms:modified></cp:coreProperties>'
    ).encode()
