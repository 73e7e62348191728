"""Small mistakes put into a module, one at a time: what the tests are tried with."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_PAIRS = [
    ("min", "max"), ("minimum", "maximum"), ("first", "last"), ("left", "right"), ("any", "all"), ("floor", "ceil"),
    ("isna", "notna"), ("cummin", "cummax"), ("idxmin", "idxmax"), ("argmin", "argmax"), ("ffill", "bfill"),
]  # fmt: skip
_NAMES = {**dict(_PAIRS), **{right: left for left, right in _PAIRS}}
# How things are put into memory or guarded, never what they mean.
_SETTINGS = {"slots", "frozen", "kw_only", "strict", "copy", "repr", "init", "compare", "maxsize", "stacklevel"}
_DROPPED = {"fillna", "where", "mask", "clip", "combine_first", "sort_values", "drop_duplicates", "dropna"}


@dataclass(frozen=True)
class Mutant:
    """One mistake: where, what was written and what is written now."""

    path: str
    line: int
    last_line: int
    before: str
    after: str
    function: str | None
    """Qualified name of the outermost function it is inside of; None where it acts when the module is imported."""
    spot: tuple[int, int]
    """Place among the nodes of the module, and which of the mistakes possible there."""

    @property
    def name(self) -> str:
        """Place and mistake on one line."""
        return f"{self.path}:{self.line}: {_short(self.before)} → {_short(self.after)}"


def _short(code: str) -> str:
    code = " ".join(code.split())
    return code if len(code) <= 70 else f"{code[:67]}..."


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    """What could be written by mistake instead of an expression."""
    match node:
        case ast.Compare(left=left, ops=operators, comparators=others):
            for place, operator in enumerate(operators):
                changed = [*operators[:place], _swapped(operator), *operators[place + 1 :]]
                yield ast.Compare(left=left, ops=changed, comparators=others)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _SWAPS:
            yield ast.BinOp(left=left, op=_swapped(operator), right=right)
        case ast.BoolOp(op=either, values=values):
            yield ast.BoolOp(op=_swapped(either), values=values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value=value + 1)
        case ast.Constant(value=str(text)) if text in _NAMES:
            yield ast.Constant(value=_NAMES[text])
        case ast.Name(id="min" | "max" | "any" | "all" as name, ctx=ast.Load()):
            yield ast.Name(id=_NAMES[name], ctx=ast.Load())
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test=test, body=orelse, orelse=body)
        case ast.Call(func=ast.Attribute(value=owner, attr=name) as function, args=args, keywords=keywords):
            if name in _NAMES:
                renamed = ast.Attribute(value=owner, attr=_NAMES[name], ctx=ast.Load())
                yield ast.Call(func=renamed, args=args, keywords=keywords)
            if name in _DROPPED and not (isinstance(owner, ast.Name) and owner.id == "np"):
                yield owner
            if name == "where" and len(args) == 3:
                yield ast.Call(func=function, args=[args[0], args[2], args[1]], keywords=keywords)
        case _:
            pass


def _swapped(operator: Any) -> Any:
    return _SWAPS[type(operator)]()


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """What could be written by mistake instead of a statement."""
    match node:
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(value=ast.Constant(value=None))
        case ast.AugAssign(target=target, op=operator, value=value) if type(operator) in _SWAPS:
            yield ast.AugAssign(target=target, op=_swapped(operator), value=value)
        case ast.If(test=test, body=body, orelse=orelse):
            yield ast.If(test=ast.UnaryOp(op=ast.Not(), operand=test), body=body, orelse=orelse)
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case _:
            pass


def _mistakes(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.expr):
        return list(_expressions(node))
    return list(_statements(node)) if isinstance(node, ast.stmt) else []


def _left_alone(tree: ast.Module) -> set[int]:
    """Nodes (by identity) that say nothing to a test: annotations, error texts, settings of dataclasses, aliases of types."""
    roots: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(returns=returns):
                roots.append(returns)
            case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
                roots.append(annotation)
            case ast.Raise(exc=exc):
                roots.append(exc)
            case ast.keyword(arg=name, value=value) if name in _SETTINGS:
                roots.append(value)
            case ast.JoinedStr():
                roots.append(node)
            case ast.Subscript(value=ast.Name(id="Annotated" | "Literal" | "Callable" | "dict" | "tuple" | "cast")):
                roots.append(node)
            case _:
                pass
    for statement in tree.body:
        # X = A | B of two types; sets and frames are not united when a module is imported.
        if isinstance(statement, ast.Assign):
            roots.extend(node for node in ast.walk(statement.value) if _of_types(node))
    return {id(node) for root in roots if root is not None for node in ast.walk(root)}


def _of_types(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitOr)
        and not any(isinstance(part, ast.Call | ast.Compare) for part in ast.walk(node))
    )


def _functions(tree: ast.Module) -> dict[int, str]:
    """The outermost function of each node (by identity) in a function's body."""
    found: dict[int, str] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, ast.ClassDef):
                visit(statement.body, f"{prefix}{statement.name}.")
            elif isinstance(statement, ast.FunctionDef):
                for line in statement.body:
                    found.update((id(node), f"{prefix}{statement.name}") for node in ast.walk(line))

    visit(tree.body, "")
    return found


def mutants(path: str, source: str) -> list[Mutant]:
    """Every mistake that can be put into a module."""
    tree = ast.parse(source)
    alone, functions = _left_alone(tree), _functions(tree)
    found = []
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in alone or not isinstance(node, ast.expr | ast.stmt):
            continue
        for choice, mistake in enumerate(_mistakes(node)):
            before, after = ast.unparse(node), ast.unparse(mistake)
            if isinstance(node, ast.If):
                before, after = f"if {ast.unparse(node.test)}", f"if not ({ast.unparse(node.test)})"
            last = node.test.end_lineno if isinstance(node, ast.If) else node.end_lineno
            found.append(
                Mutant(path, node.lineno, last or node.lineno, before, after, functions.get(id(node)), (place, choice))
            )
    return sorted(found, key=lambda mutant: (mutant.line, mutant.spot))


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module with the mistake in it."""
    tree = ast.parse(source)
    place, choice = mutant.spot
    old = list(ast.walk(tree))[place]
    new = ast.copy_location(copy.deepcopy(_mistakes(old)[choice]), old)
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, field, [new if item is old else item for item in value])
    return ast.fix_missing_locations(tree)
