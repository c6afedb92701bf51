"""From a notebook's cells, the one definition that is asked for, with what it needs; and nothing else of it is run.

This happens in the process in which the answer will run: parsing a stranger's code is part of the risk.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import symtable
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

MODULE = "answer"
"""The module in which definitions live."""


class NoAnswer(Exception):
    """Why there is nothing to be graded, in a sentence."""


@dataclass(frozen=True)
class Statement:
    """One statement of a notebook's top level.

    Attributes:
        place: its number in the notebook.
        cell: the number of its cell.
        node: its code.
        binds: the names that it gives a meaning to.
        needs: the names that it uses from outside itself, now or when it is called.
    """

    place: int
    cell: int
    node: ast.stmt
    binds: frozenset[str]
    needs: frozenset[str]


def _names(node: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """What a statement binds, and what it needs."""
    top = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    binds = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    needs = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    waiting = top.get_children()
    while waiting:
        inner = waiting.pop()
        needs |= {s.get_name() for s in inner.get_symbols() if s.is_global()}
        waiting += inner.get_children()
    return frozenset(binds), frozenset(needs)


@dataclass(frozen=True)
class Found:
    """An answer in a notebook, before anything is run.

    Attributes:
        cells: the notebook's code cells: by what they are known, and their code.
        statements: what stands in them.
        wanted: the name that is asked for.
        answers: what defines it, each cell's last: those of the answer's own cell (it may have been copied) before
            those of others, the latest first.
        note: what a report should say of it, or ''.
    """

    cells: Sequence[tuple[tuple[str, ...], str]]
    statements: Sequence[Statement]
    wanted: str
    answers: Sequence[Statement]
    note: str

    def load(self, which: int, given: dict[str, Any], run: Callable[[Callable[[], Any]], Any]) -> Any:
        """Run one of the answers and what it needs, and give what it defines.

        Args:
            which: its number among `answers`.
            given: what an answer may use although its notebook does not import it.
            run: calls what runs the code; it may keep it within bounds.

        Raises:
            Exception: whatever running it raises.
        """
        answer = self.answers[which]
        chosen = [answer, *_needed(answer, self.statements)]
        space = _space(chosen, self.cells, given)
        codes = [_compiled(statement) for statement in sorted(chosen, key=lambda s: s.place)]
        run(lambda: _execute(codes, space))
        return space.get(self.wanted)


def find(
    cells: Sequence[tuple[tuple[str, ...], str]], wanted: str, names: Collection[str], others: Collection[str]
) -> Found:
    """Where the answer is defined.

    Args:
        cells: a notebook's code cells: by what they are known, and their code.
        wanted: the name asked for.
        names: by what the answer's cell is known.
        others: by what the cells of other answers are known.

    Raises:
        NoAnswer: nowhere.
    """
    mine = [number for number, (known, _) in enumerate(cells) if set(known) & set(names)]
    rest = [number for number, (known, _) in enumerate(cells) if not set(known) & {*names, *others}]
    statements = list(_statements(cells, frozenset(mine)))
    of_mine = [s for s in statements if s.cell in mine and wanted in s.binds]
    of_rest = [s for s in statements if s.cell in rest and wanted in s.binds]
    if not of_mine and not of_rest:
        raise NoAnswer(_missing(statements, mine, wanted))
    answers = [*_latest_first(of_mine), *_latest_first(of_rest)]
    note = "" if of_mine else "The answer's own cell is not there; another cell that defines the same name was graded."
    return Found(cells, statements, wanted, answers, note)


def _latest_first(statements: Sequence[Statement]) -> list[Statement]:
    """The last statement of each cell."""
    return list({s.cell: s for s in statements}.values())[::-1]


def _execute(codes: Sequence[CodeType], space: dict[str, Any]) -> None:
    for code in codes:
        exec(code, space)  # noqa: S102  this is what the process is for


def _missing(statements: Sequence[Statement], mine: Sequence[int], wanted: str) -> str:
    if not mine:
        return f"There is no cell that defines {wanted}: was the answer's cell deleted?"
    there = sorted(name for s in statements if s.cell in mine for name in s.binds)
    if not there:
        return f"The answer's cell defines nothing: it should define {wanted}."
    return f"The answer's cell defines {', '.join(there)[:200]}, but what is asked for is called {wanted}."


def _statements(cells: Sequence[tuple[tuple[str, ...], str]], mine: Collection[int]) -> Iterator[Statement]:
    place = 0
    for number, (_, source) in enumerate(cells):
        try:
            tree = ast.parse(_python(source), f"<cell {number + 1}>")
            named = [(node, *_names(node)) for node in tree.body]
        except SyntaxError as error:
            if number in mine:
                raise NoAnswer(f"The answer's cell is no Python: {error.msg} (line {error.lineno}).") from None
            continue
        except (ValueError, RecursionError, MemoryError):
            if number in mine:
                raise NoAnswer("The answer's cell is no Python that can be read.") from None
            continue
        for node, binds, needs in named:
            yield Statement(place, number, node, binds, needs)
            place += 1


def _python(source: str) -> str:
    """The cell without what is meant for IPython (%magic, !command, help?), its lines where they were."""
    return "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in source.split("\n"))


def _needed(answer: Statement, statements: Sequence[Statement]) -> list[Statement]:
    """What gives a meaning to the names that `answer` uses: what stands last before it, else first behind it."""
    chosen: dict[int, Statement] = {answer.place: answer}
    waiting = [answer]
    while waiting:
        user = waiting.pop()
        for name in sorted(user.needs):
            binding = [s for s in statements if name in s.binds and s.place not in (user.place, answer.place)]
            before = [s for s in binding if s.place < user.place]
            for found in before[-1:] or ([] if name in user.binds else binding[:1]):
                if found.place not in chosen:
                    chosen[found.place] = found
                    waiting.append(found)
    del chosen[answer.place]
    return list(chosen.values())


def _space(
    chosen: Sequence[Statement], cells: Sequence[tuple[tuple[str, ...], str]], given: dict[str, Any]
) -> dict[str, Any]:
    """Where the statements are run: a module of their own, which tracebacks and pickles know."""
    module = sys.modules[MODULE] = ModuleType(MODULE)
    space = vars(module)
    unknown = {name for s in chosen for name in s.needs} - {name for s in chosen for name in s.binds}
    space |= {name: given[name] for name in unknown if name in given and not hasattr(builtins, name)}
    for number in {s.cell for s in chosen}:
        lines = [line + "\n" for line in cells[number][1].split("\n")]
        linecache.cache[f"<cell {number + 1}>"] = (len(lines), None, lines, f"<cell {number + 1}>")
    return space


def _compiled(statement: Statement) -> CodeType:
    return compile(ast.Module([statement.node], []), f"<cell {statement.cell + 1}>", "exec", dont_inherit=True)
