"""What a checker is given in place of a student's definition: something that looks like it and asks its process.

A stand-in for a class is a subclass of the exercise's base, so that all that a checker does to a class can be done to
it: rules are switched, clusters built, runs searched, shrunk and played. One place is another: where a step is done.
A step that comes to none of the answer's methods is done here, since it is Raft's own; most are, and asking costs more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable
from typing import Any, ClassVar, cast

from raft_lab.course import wire
from raft_lab.course.beside import Reached, Rules, beside, with_rules
from raft_lab.course.exercises import Exercise, Looked
from raft_lab.course.rehearsal import batches, rehearsed
from raft_lab.course.sandbox import Sandbox
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.state import Event, Outcome, State
from raft_lab.raft.values import FrozenMap


class StandIn:
    """The part of a stand-in class that asks. It stands first among the bases."""

    sandbox: ClassVar[Sandbox]
    rules_off: ClassVar[tuple[str, ...]]
    rules_on: ClassVar[tuple[str, ...]]
    methods: ClassVar[frozenset[str] | None]
    """A step that comes to none of these need not be asked; None if each must be."""
    base: ClassVar[type]

    @classmethod
    def _rules(cls) -> Rules:
        return cls.rules_off, cls.rules_on

    @classmethod
    def _here(cls, state: State, event: Event, now: int) -> Outcome | None:
        """The step, if none of the answer's methods has a part in it."""
        if cls.methods is None:
            return None
        try:
            return with_rules(beside(cls.__name__, cls.base, cls.methods), cls._rules()).step(state, event, now)
        except Reached:
            return None

    @classmethod
    def step(cls, state: State, event: Event, now: int = 0) -> Outcome:
        """See `Server.step`."""
        return cls.sandbox.step(cls._rules(), state, event, now, cls._here)

    @classmethod
    def foresee(cls, steps: Iterable[tuple[State, Event, int]]) -> None:
        """Hear what is going to be asked, and ask it at once; see `differences`."""
        cls.sandbox.foresee([(cls._rules(), *step) for step in steps], cls._here)

    @classmethod
    def does_as_raft(cls, exercise: Exercise, seed: int) -> Looked | None:
        """How far a check looks at it without finding anything, if it does what Raft does wherever it is asked.

        None if it does not, or if that cannot be told.
        """
        rehearsal = None if cls.methods is None else rehearsed(exercise, cls.methods, seed)
        if rehearsal is None:
            return None
        noted, looked = rehearsal
        return looked if all(cls.sandbox.does(batch) for batch in batches(noted)) else None


def _crashed(cls: Any, state: State) -> State:
    left: State = cls.sandbox.left(cls._rules(), "crashed", state, state)
    return left


def _timers(cls: Any, state: State) -> tuple[str, ...]:
    found = cls.sandbox.value("method", cls._rules(), "timers", state, 0, (state,))
    if not isinstance(found, tuple):
        raise HandlerError(f"{cls.__name__}.timers gives {found!r:.80}; it must be a tuple of names of timers")
    return found


def _asks(name: str) -> Callable[..., Any]:
    """A method of the student's, which is asked where it is."""

    def method(self: Any, *arguments: Any) -> Any:
        cls = type(self)
        state = State(
            self.id, self.current_term, self.voted_for, self.log, self.commit_index, self.last_applied, self.machine,
            self.role, extra=FrozenMap({field: self.__dict__[field] for field in (*cls.durable, *cls.volatile)}),
        )  # fmt: skip
        return cls.sandbox.value("method", cls._rules(), name, state, self.now, arguments)

    method.__name__ = name
    return method


_CLASS_METHODS = {"crashed": classmethod(_crashed), "timers": classmethod(_timers)}
_NOT_ASKED = {"durable", "volatile", "step", "initial", "rules_on", "rules_off", "switched_from"}


def for_class(about: dict[str, Any], base: type, sandbox: Sandbox, missing: Collection[str] = ()) -> type:
    """A stand-in for the class that a worker has told about.

    Args:
        about: what it has told.
        base: the exercise's.
        sandbox: where it is.
        missing: methods that are always asked for there, whatever it has told.

    Raises:
        HandlerError: what it has told makes no sense.
    """
    name = _name(about)
    if about.get("fits") is not True:
        return type(name, (), {"__module__": __name__})
    try:
        fields = {kind: dict(wire.unpack(about["fields"][kind])) for kind in ("durable", "volatile")}
        owns = {own for own in map(str, about["owns"]) if hasattr(base, own) and not own.startswith("__")}
        body: dict[str, Any] = {"__module__": __name__, "sandbox": sandbox, "base": base}
        body["methods"] = frozenset({*missing, *owns}) if about["plain"] is True else None
        body |= {own: _CLASS_METHODS[own] if own in _CLASS_METHODS else _asks(own) for own in owns - _NOT_ASKED}
        made: Any = type(name, (StandIn, base), body)
        made.durable, made.volatile = fields["durable"], fields["volatile"]  # which may have names as a stand-in's own
        return cast(type, made)
    except wire.DAMAGE as error:
        raise HandlerError(f"what it says of itself makes no sense: {error}"[:300]) from None


def for_function(about: dict[str, Any], sandbox: Sandbox) -> Callable[..., Any]:
    """A stand-in for a function or a generator function."""

    def function(*arguments: Any) -> Any:
        return sandbox.call(arguments)

    def program(*arguments: Any) -> Generator[Any, Any, Any]:
        number = sandbox.begun(arguments)
        how, value = "send", None
        while True:
            what, given = sandbox.value("go_on", number, how, value)
            if what == "done":
                return given
            try:
                how, value = "send", (yield given)
            except Exception as error:
                how, value = "throw", error

    stand_in = program if about["kind"] == "generator" else function
    if stand_in is function:
        function.says = sandbox.says  # type: ignore[attr-defined]
    stand_in.__name__ = stand_in.__qualname__ = _name(about)
    return stand_in


def _name(about: dict[str, Any]) -> str:
    name = str(about.get("name", ""))[:60]
    return name if name.isidentifier() else "Answer"
