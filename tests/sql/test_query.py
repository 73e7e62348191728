"""What counts as one SELECT that only reads, in the words of each server; and what the message says when it is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sql.flavour import Flavour
from connectors.sql.mssql import MsSql
from connectors.sql.mysql import MySql
from connectors.sql.oracle import Oracle
from connectors.sql.postgresql import PostgreSql
from connectors.sql.query import checked_query

PG, MY, MS, ORA = PostgreSql(), MySql(), MsSql(), Oracle()
ALL = [PG, MY, MS, ORA]


@pytest.mark.parametrize("flavour", ALL, ids=lambda flavour: flavour.title)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM t",
        "select t.*, upper(b) AS b2 from t join u on u.id = t.id where t.a in (select a from v)",
        "SELECT a FROM t WHERE b = 'DELETE FROM t; -- not code' AND c <> ''",
        "SELECT a, CASE WHEN b > 0 THEN 'INTO' ELSE 'FOR UPDATE' END AS c FROM t GROUP BY a, b",
        "SELECT a FROM t UNION ALL SELECT a FROM u",
        "(SELECT a FROM t)",
        "SELECT a, ROW_NUMBER() OVER (PARTITION BY b ORDER BY c) AS n FROM t",
    ],
)
def test_a_select_passes_as_it_is(flavour: Flavour, query: str) -> None:
    assert checked_query(query, flavour) == query


@pytest.mark.parametrize(
    ("flavour", "query"),
    [
        (PG, "WITH a AS (SELECT 1 AS x) SELECT x::text, now() - interval '1 day' AS y FROM a"),
        (PG, "SELECT (xpath('//item/value/text()', doc::xml))[1]::text AS v, doc->>'a' AS w FROM t"),
        (PG, "SELECT DISTINCT ON (a) a, b FROM t WHERE tags && ARRAY['x'] AND c ~ '^A'"),
        (
            MY,
            "SELECT `a`, ExtractValue(xml, '//item[@id=\"x\"]/value') AS v, IFNULL(NULLIF(d, '0000-00-00'), e) AS d FROM t",
        ),
        (MY, "WITH a AS (SELECT 1 AS x) SELECT CONVERT(CAST(x AS BINARY) USING utf8mb4) AS y FROM a"),
        (
            MS,
            "SELECT [a], ISNULL(b, 0) AS b, CONVERT(varchar(30), d, 126) AS d FROM dbo.t OUTER APPLY (SELECT TOP 1 x FROM u) v",
        ),
        (ORA, "SELECT a, NVL(b, 0) AS b, TO_CHAR(d, 'YYYY') AS y FROM hr.t WHERE ROWNUM < 5 AND a(+) = 1"),
        (ORA, "SELECT DBMS_LOB.SUBSTR(doc, 100, 1) AS x FROM t"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.title,
)
def test_what_only_one_server_knows_passes_there(flavour: Flavour, query: str) -> None:
    assert checked_query(query, flavour) == query


@pytest.mark.parametrize(
    ("flavour", "query", "message"),
    [
        (PG, "", "is empty; write one SELECT"),
        (PG, "-- nothing but a comment", "is empty"),
        (PG, "DELETE FROM t", "begins with DELETE in line 1; write one SELECT"),
        (PG, "\n\nUPDATE t SET a = 1", "begins with UPDATE in line 3"),
        (PG, "TABLE t", "begins with TABLE"),
        (PG, "VALUES (1)", "begins with VALUES"),
        (PG, "EXPLAIN ANALYZE DELETE FROM t", "begins with EXPLAIN"),
        (PG, "COPY t TO PROGRAM 'x'", "begins with COPY"),
        (MY, "SHOW TABLES", "begins with SHOW"),
        (MS, "EXEC sp_who", "begins with EXEC"),
        (ORA, "BEGIN NULL; END;", "begins with BEGIN"),
        (PG, "SELECT 1;\nSELECT 2", "holds another statement behind the ; in line 1; leave one SELECT"),
        (MY, "SELECT 1; DROP TABLE t", "holds another statement"),
        (PG, "SELECT a\nFROM t\nWHERE (", "in line 3.*correct the syntax"),
        (PG, "SELECT 'never closed", "cannot be read.*correct the syntax"),
        (PG, "SELECT " + "(" * 3000, "correct the syntax|nested too deeply"),
        (PG, "SELECT a INTO x FROM t", r"\(INTO in line 1\); remove the INTO"),
        (MS, "SELECT a INTO #x FROM t", "remove the INTO"),
        (MY, "SELECT a FROM t INTO OUTFILE '/tmp/x'", "cannot be read.*near 'INTO'"),
        (MY, "SELECT a FROM t /*! INTO OUTFILE '/tmp/x' */", "comment that the server would run"),
        (MY, "SELECT a /*M!100100 , b */ FROM t", "comment that the server would run"),
        (PG, "SELECT a FROM t FOR UPDATE", "remove the lock"),
        (PG, "SELECT a FROM (SELECT a FROM t FOR SHARE SKIP LOCKED) x", "remove the lock"),
        (MY, "SELECT a FROM t LOCK IN SHARE MODE", "remove the lock"),
        (ORA, "SELECT a FROM t FOR UPDATE NOWAIT", "remove the lock"),
        (MS, "SELECT a FROM t WITH (UPDLOCK)", "has a table hint"),
        (MS, "SELECT a FROM t WITH (NOLOCK)", "NOLOCK reads rows twice or not at all"),
        (PG, "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "holds DELETE; leave only what reads"),
        (PG, "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", "holds INSERT"),
        (MS, "WITH x AS (SELECT a FROM t) SELECT a FROM x", "begins with WITH, which SQL Server does not take"),
        (PG, "SELECT a FROM t ORDER BY a", "has an ORDER BY of its own; remove it"),
        (PG, "(SELECT a FROM t) ORDER BY a", "has an ORDER BY"),
        (PG, "SELECT a FROM t LIMIT 10", "is cut by LIMIT"),
        (PG, "SELECT a FROM t UNION SELECT a FROM u LIMIT 10", "is cut by LIMIT"),
        (MS, "SELECT TOP 10 a FROM t", "is cut by LIMIT, TOP"),
        (ORA, "SELECT a FROM t FETCH FIRST 5 ROWS ONLY", "is cut by LIMIT, TOP, FETCH"),
        (PG, "SELECT a FROM t WHERE b = :x", "a variable or a placeholder; write the value out"),
        (PG, "SELECT a FROM t WHERE b = $1", "a variable or a placeholder"),
        (MY, "SELECT @x := a FROM t", "a variable or a placeholder"),
        (MS, "SELECT @x = a FROM t", "a variable or a placeholder"),
        (ORA, "SELECT s.NEXTVAL FROM t", "from a sequence"),
        (MS, "SELECT NEXT VALUE FOR s FROM t", "from a sequence"),
        (PG, "SELECT nextval('s') FROM t", "calls nextval in line 1, which does more than read; remove it"),
        (PG, "SELECT a,\n pg_catalog.pg_sleep(5) FROM t", "calls pg_sleep in line 2"),
        (PG, "SELECT lo_export(1, 'x'), dblink('a', 'b') FROM t", "calls lo_export.*; calls dblink"),
        (PG, "SELECT * FROM dblink('a', 'b') AS x(a int)", "calls dblink"),
        (PG, "SELECT pg_terminate_backend(1)", "calls pg_terminate_backend"),
        (PG, "SELECT set_config('a', 'b', true)", "calls set_config"),
        (MY, "SELECT SLEEP(5), BENCHMARK(9, 1) FROM t", "calls SLEEP.*; calls BENCHMARK"),
        (MY, "SELECT LOAD_FILE('/etc/x')", "calls LOAD_FILE"),
        (MY, "SELECT GET_LOCK('a', 1)", "calls GET_LOCK"),
        (MS, "SELECT a FROM OPENROWSET('a', 'b', 'c') x", "calls OPENROWSET"),
        (ORA, "SELECT DBMS_LOCK.SLEEP(5) FROM dual", r"calls DBMS_LOCK\.SLEEP"),
        (ORA, "SELECT UTL_HTTP.REQUEST('http://a') FROM dual", r"calls UTL_HTTP\.REQUEST"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.title,
)
def test_anything_else_is_refused_with_what_to_change(flavour: Flavour, query: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_query(query, flavour)


@pytest.mark.parametrize("flavour", ALL, ids=lambda flavour: flavour.title)
def test_comments_around_and_the_last_semicolon_are_cut(flavour: Flavour) -> None:
    query = "/* what we read */ -- really\nSELECT a, -- the key\n b FROM t ; ; -- end"
    assert checked_query(query, flavour) == "SELECT a, -- the key\n b FROM t"


WORDS = (
    "SELECT a FROM t ( ) , ; DELETE INTO WITH AS x ' -- /* */ FOR UPDATE INSERT VALUES 1 UNION DROP TABLE * = \" ` [ ]"
)


@settings(deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS.split()), max_size=20).map(" ".join)),
    st.sampled_from(ALL),
)
def test_any_text_is_taken_or_refused_and_nothing_else(text: str, flavour: Flavour) -> None:
    try:
        found = checked_query("SELECT " + text, flavour)
    except ValueError:
        return
    assert found.startswith("SELECT")
