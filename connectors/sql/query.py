"""Checks that a query is one SELECT that reads and does nothing else, before any server sees it.

This finds mistakes and says what to change. It does not replace an account that may only read, nor the read-only
transaction that the query runs in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sqlglot import Dialect, Token, TokenType, exp
from sqlglot.errors import SqlglotError

from connectors.sql.flavour import Flavour

_WRITES: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Command)
_SIDE_EFFECTS: Final = re.compile(
    # PostgreSQL
    r"pg_(sleep|terminate|cancel|reload|rotate|promote|notify|advisory|try_advisory|read_|ls_|stat_file|switch_|create_|drop_"
    r"|logical_|replication_|wal_replay_|backup_|export_snapshot|import_|stat_reset|log_).*"
    r"|nextval|setval|set_config|lo_.*|lowrite|loread|dblink.*|query_to_xml.*|cursor_to_xml.*|database_to_xml.*|file_fdw.*"
    # MySQL, MariaDB
    r"|sleep|benchmark|get_lock|release_lock|release_all_locks|load_file|last_insert_id|lastval|master_pos_wait"
    r"|source_pos_wait|wait_for_executed_gtid_set|sys_exec|sys_eval"
    # SQL Server
    r"|openrowset|openquery|opendatasource|xp_.*|sp_.*"
    # Oracle
    r"|(dbms|utl|httpuritype|sys\.dbms|sys\.utl)(_\w+)?(\.\w+)?",
    re.IGNORECASE,
)
_HARMLESS: Final = re.compile(r"dbms_lob\.(substr|getlength|instr)|utl_raw\.\w+|utl_i18n\.\w+", re.IGNORECASE)


def checked_query(query: str, flavour: Flavour, *, read_whole: bool = False) -> str:
    """The query without what stands around it (comments, a last semicolon), ready to be put into brackets.

    Args:
        read_whole: its rows are read once, as they come, so that it may order and cut them itself.

    Raises:
        ValueError: it is not one SELECT that only reads; the message says in which line, and what to change.
    """
    try:
        dialect = Dialect.get_or_raise(flavour.grammar)
        tokens = dialect.tokenize(query)
        _is_one_query(tokens)
        [tree] = [item for item in dialect.parse(query) if item is not None and not isinstance(item, exp.Semicolon)]
    except SqlglotError as error:
        raise ValueError(_unreadable(error, flavour)) from None
    except RecursionError:
        raise ValueError("is nested too deeply; make parts of it views") from None
    problems = list(_problems(tree, tokens, flavour, read_whole=read_whole))
    if problems:
        raise ValueError("; ".join(dict.fromkeys(problems)))
    while tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    return query[tokens[0].start : tokens[-1].end + 1]


def _is_one_query(tokens: Sequence[Token]) -> None:
    first = next((token for token in tokens if token.token_type is not TokenType.L_PAREN), None)
    if first is None:
        raise ValueError("is empty; write one SELECT")
    if first.token_type not in (TokenType.SELECT, TokenType.WITH):
        raise ValueError(
            f"begins with {first.text[:20].upper()} in line {first.line}; write one SELECT, or WITH … SELECT"
        )
    ends = [index for index, token in enumerate(tokens) if token.token_type is TokenType.SEMICOLON]
    if any(
        tokens[index].token_type is not TokenType.SEMICOLON
        for index in range(ends[0] if ends else len(tokens), len(tokens))
    ):
        raise ValueError(f"holds another statement behind the ; in line {tokens[ends[0]].line}; leave one SELECT")


def _unreadable(error: SqlglotError, flavour: Flavour) -> str:
    details = getattr(error, "errors", None)
    first = details[0] if details else {}
    line, column = first.get("line"), first.get("col")
    where = f" in line {line}, column {column}" if line else ""
    word = str(first.get("highlight") or "").strip()[:40]
    near = f", near '{word}'" if word else ""
    return f"cannot be read as a SELECT of {flavour.title}{where}{near}; correct the syntax there"


def _problems(tree: exp.Expr, tokens: Sequence[Token], flavour: Flavour, *, read_whole: bool) -> Iterator[str]:
    top = tree
    while isinstance(top, (exp.Subquery, exp.Paren)):
        if not read_whole:
            yield from _cuts(top)
        top = top.this
    if not isinstance(top, exp.Query):
        yield "is not a SELECT; write one SELECT, or WITH … SELECT"
        return
    if not read_whole:
        yield from _cuts(top)
    if top.args.get("with_") is not None and not flavour.takes_with_inside:
        yield f"begins with WITH, which {flavour.title} does not take inside brackets; make it a view, or nested SELECTs"
    if any((comment or "").startswith(("!", "M!")) for token in tokens for comment in token.comments):
        yield "holds a comment that the server would run (/*! … */); remove it"
    for node in tree.walk():
        yield from _node_problems(node, tokens)


def _cuts(top: exp.Expr) -> Iterator[str]:
    if top.args.get("limit") is not None or top.args.get("offset") is not None:
        yield "is cut by LIMIT, TOP, FETCH or OFFSET; remove it, 'page_rows' decides how much is read at a time"
    elif top.args.get("order") is not None:
        yield "has an ORDER BY of its own; remove it, rows are read in the order of 'key'"


def _node_problems(node: exp.Expr, tokens: Sequence[Token]) -> Iterator[str]:
    if isinstance(node, _WRITES):
        yield f"holds {type(node).__name__.upper()}; leave only what reads"
    elif isinstance(node, exp.Into):
        yield f"writes its rows somewhere (INTO{_line(tokens, 'into')}); remove the INTO"
    elif isinstance(node, exp.Lock):
        yield f"locks rows (FOR{_line(tokens, 'for')}, or LOCK IN SHARE MODE); remove the lock"
    elif isinstance(node, exp.WithTableHint):
        yield (
            f"has a table hint (WITH (…){_line(tokens, 'with')}); remove it: a lock disturbs the system, and NOLOCK reads "
            "rows twice or not at all"
        )
    elif isinstance(node, (exp.Parameter, exp.Placeholder, exp.PropertyEQ)):
        yield "holds a variable or a placeholder; write the value out"
    elif isinstance(node, exp.NextValueFor) or (isinstance(node, exp.Column) and node.name.upper() == "NEXTVAL"):
        yield "takes numbers from a sequence (NEXTVAL); remove it"
    elif isinstance(node, exp.Func):
        name = _function(node)
        if _SIDE_EFFECTS.fullmatch(name) and not _HARMLESS.fullmatch(name):
            yield f"calls {name}{_line(tokens, name.rpartition('.')[2])}, which does more than read; remove it"


def _function(node: exp.Func) -> str:
    """A function's name, with its package where it has one."""
    name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.expression is node:
        package = parent.this.sql().replace('"', "")
        return name if package.lower() in ("pg_catalog", "sys", "public", "dbo") else f"{package}.{name}"
    return name


def _line(tokens: Sequence[Token], word: str) -> str:
    line = next((token.line for token in tokens if token.text.lower() == word.lower()), None)
    return "" if line is None else f" in line {line}"
