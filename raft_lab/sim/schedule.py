"""Time: when each message is due and each timer runs out. Timed driving only chooses the next action.

A schedule is a value that follows the world, also when actions are chosen by hand. Every draw is a keyed hash
of the seed and of what the draw is for, so that a run is the same on every machine, and a change in one place
leaves the draws elsewhere alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from raft_lab.raft.messages import ANSWERS, Message
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.actions import (
    Action,
    CheckQuorum,
    Delay,
    Deliver,
    Drop,
    Duplicate,
    Heartbeat,
    Hold,
    OnServer,
    Release,
    Silence,
    Timeout,
    WriteDisk,
)
from raft_lab.sim.world import Transition, World

_DRAWS = 1 << 64


def draw(*key: object) -> int:
    """A number from 0 to 2**64 - 1 that depends on nothing but `key`."""
    text = "/".join(str(part) for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _is_speed(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1000


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in microseconds, and how bad the network is.

    Attributes:
        election_timeout_us: shortest and longest election timeout; each is drawn anew (section 5.2).
        heartbeat_us: how often a leader sends heartbeats.
        latency_us: shortest and longest time that a message travels.
        answer_us: the same for answers, if it differs: a recipient's disk and processor are in it (section 5.6).
        loss: probability that the network loses a message.
        duplication: probability that it delivers a message twice.
        disk_us: shortest and longest time of a write, where writes take time.
        speeds: how fast servers' clocks run, by name; 1 is right, 0.5 is at half speed.
    """

    election_timeout_us: tuple[int, int] = (150_000, 300_000)
    heartbeat_us: int = 50_000
    latency_us: tuple[int, int] = (5_000, 15_000)
    loss: float = 0.0
    duplication: float = 0.0
    disk_us: tuple[int, int] = (1_000, 5_000)
    speeds: FrozenMap[str, float] = field(default_factory=FrozenMap)
    answer_us: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("election_timeout_us", "latency_us", "disk_us", "answer_us"):
            pair = getattr(self, name)
            if pair is None and name == "answer_us":
                continue
            low, high = pair if isinstance(pair, tuple | list) and len(pair) == 2 else (0, 0)
            if not (_is_int(low) and _is_int(high) and 0 < low <= high):
                raise ValueError(f"{name} must be two whole numbers of microseconds, 0 < shortest <= longest")
            object.__setattr__(self, name, (low, high))
        if not (_is_int(self.heartbeat_us) and self.heartbeat_us > 0):
            raise ValueError("heartbeat_us must be a whole number of microseconds above 0")
        for name in ("loss", "duplication"):
            odds = getattr(self, name)
            if not (isinstance(odds, int | float) and 0 <= odds < 1):
                raise ValueError(f"{name} is a probability: at least 0 and below 1")
        if not (
            isinstance(self.speeds, dict) and all(isinstance(n, str) and _is_speed(s) for n, s in self.speeds.items())
        ):
            raise ValueError("speeds maps servers to numbers above 0, such as {'S1': 0.5}")
        object.__setattr__(self, "speeds", FrozenMap(self.speeds))

    def local(self, server: str, now_us: int) -> int:
        """What the server's own clock shows at `now_us`."""
        return int(now_us * self.speeds[server]) if server in self.speeds else now_us

    def lasts(self, server: str, local_us: int) -> int:
        """How long `local_us` on the server's clock really are."""
        return max(1, int(local_us / self.speeds[server])) if server in self.speeds else local_us


@dataclass(frozen=True, slots=True)
class Flight:
    """One copy of a message on its way. `serial` tells it from all other copies of the run."""

    serial: int
    message: Message
    sent_us: int
    due_us: int
    held: bool = False
    lost: bool = False
    twin: bool = False


@dataclass(frozen=True, slots=True)
class Timer:
    """A running timer."""

    from_us: int
    due_us: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """What timed driving knows beyond the world.

    Attributes:
        seed: chooses the run.
        timing: durations and odds.
        now_us: the clock, in microseconds since the start.
        flights: every copy in flight, in order of sending.
        timers: by server and kind: "election", "heartbeat", "silence", "quorum", "disk".
    """

    seed: int
    timing: Timing = Timing()
    now_us: int = 0
    flights: tuple[Flight, ...] = ()
    timers: FrozenMap[tuple[str, str], Timer] = field(default_factory=FrozenMap)
    drawn: FrozenMap[str, int] = field(default_factory=FrozenMap)
    serials: int = 0

    @classmethod
    def begin(cls, world: World, seed: int, timing: Timing, now_us: int = 0) -> Schedule:
        """The schedule of a world that starts when the clock shows `now_us`."""
        draft = _Draft(cls(seed, timing, now_us))
        for message, copies in world.network.items():
            draft.send([message] * copies)
        draft.settle_timers(None, world, None, None)
        return draft.done()

    def follow(self, before: World, action: Action, done: Transition, now_us: int) -> Schedule:
        """The schedule after `action` took `before` to `done.world` at `now_us`."""
        draft = _Draft(replace(self, now_us=now_us))
        match action:
            case Deliver(message) | Drop(message):
                gone = self.first_flight(message)
                draft.flights = [flight for flight in draft.flights if flight is not gone]
            case Duplicate(message):
                flight = self.first_flight(message)
                draft.flights[draft.flights.index(flight)] = replace(flight, twin=False)
                draft.send([message], may_fail=False)
            case Hold(message) | Release(message):
                held = isinstance(action, Hold)
                flight = self.first_flight(message, held=not held) or self.first_flight(message)
                due = flight.due_us if held else max(flight.due_us, now_us)
                draft.flights[draft.flights.index(flight)] = replace(flight, held=held, due_us=due)
            case Delay(message, us):
                flight = self.first_flight(message)
                due = max(flight.due_us, now_us) + us
                draft.flights[draft.flights.index(flight)] = replace(flight, due_us=due)
        draft.send(done.sent)
        fired = (action.actor, TIMERS[action.verb]) if action.verb in TIMERS else None
        draft.settle_timers(before, done.world, done.timer_reset, fired)
        return draft.done()

    def first_flight(self, message: Message, held: bool | None = None) -> Flight:
        """The copy of `message` that is due first (None if `held` rules out all)."""
        copies = [f for f in self.flights if f.message == message and (held is None or f.held == held)]
        return min(copies, key=lambda f: (f.held, f.due_us, f.serial), default=None)  # type: ignore[return-value]

    def agenda(self, world: World) -> list[tuple[int, Action]]:
        """What timed driving will do, and when, if nothing interferes; soonest first."""
        return [(item[0], self._action(item[3], world)) for item in sorted(self._due())]

    def next(self, world: World) -> tuple[int, Action] | None:
        """The first of the agenda, or None if nothing is due ever."""
        due = min(self._due(), default=None)  # no two are of the same rank, so what is due is never compared
        return (due[0], self._action(due[3], world)) if due else None

    def _due(self) -> Iterator[tuple[int, int, int, Flight | tuple[str, str]]]:
        """What is due when; of what is due at the same time, copies come first, in order of sending."""
        for flight in self.flights:
            if not flight.held:
                yield flight.due_us, 0, flight.serial, flight
        for rank, (timer_of, timer) in enumerate(self.timers.items()):
            yield timer.due_us, 1, rank, timer_of

    def _action(self, due: Flight | tuple[str, str], world: World) -> Action:
        """What timed driving does about a copy or a timer."""
        if isinstance(due, tuple):
            name, kind = due
            return _ON_TIMER[kind](name)
        if due.lost or world.blocked(due.message):
            return Drop(due.message)
        return Duplicate(due.message) if due.twin else Deliver(due.message)


_ON_TIMER: dict[str, type[OnServer]] = {
    "election": Timeout,
    "silence": Silence,
    "heartbeat": Heartbeat,
    "quorum": CheckQuorum,
    "disk": WriteDisk,
}
TIMERS = {action.verb: kind for kind, action in _ON_TIMER.items()}
"""The kind of timer that lets each of these actions happen."""


class _Draft:
    """A schedule while it is being written."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.flights = list(schedule.flights)
        self.timers = dict(schedule.timers)
        self.drawn = dict(schedule.drawn)
        self.serials = schedule.serials

    def done(self) -> Schedule:
        return replace(
            self.schedule,
            flights=tuple(self.flights),
            timers=FrozenMap(self.timers),
            drawn=FrozenMap(self.drawn),
            serials=self.serials,
        )

    def draw(self, purpose: str) -> int:
        count = self.drawn.get(purpose, 0)
        self.drawn[purpose] = count + 1
        return draw(self.schedule.seed, purpose, count)

    def between(self, purpose: str, low: int, high: int) -> int:
        return low + self.draw(purpose) % (high - low + 1)

    def chance(self, purpose: str, probability: float) -> bool:
        return bool(probability) and self.draw(purpose) < probability * _DRAWS

    def send(self, messages: tuple[Message, ...] | list[Message], may_fail: bool = True) -> None:
        timing, now = self.schedule.timing, self.schedule.now_us
        for message in messages:
            link = f"{message.src}>{message.dst}"
            travels = timing.answer_us if timing.answer_us and isinstance(message, ANSWERS) else timing.latency_us
            latency = self.between(f"latency {link}", *travels)
            lost = may_fail and self.chance(f"loss {link}", timing.loss)
            twin = may_fail and self.chance(f"duplication {link}", timing.duplication)
            self.serials += 1
            self.flights.append(Flight(self.serials, message, now, now + latency, lost=lost, twin=twin))

    def settle_timers(
        self, before: World | None, after: World, reset: str | None, fired: tuple[str, str] | None
    ) -> None:
        """Give a timer to who needs one, and take it from who does not."""
        for name, state in after.servers.items():
            same = before is not None and state is before.servers.get(name) and after.crashed is before.crashed
            if same and fired is None and name != reset:
                continue
            wanted = () if name in after.crashed else after.behaviour.timers(state)
            for kind in _ON_TIMER:
                key = (name, kind)
                anew = key == fired or (name == reset and kind in ("election", "silence", "quorum"))
                if kind not in wanted:
                    self.timers.pop(key, None)
                elif anew or key not in self.timers:
                    self.timers[key] = self.timer(name, kind)

    def timer(self, name: str, kind: str) -> Timer:
        timing, now = self.schedule.timing, self.schedule.now_us
        shortest, longest = timing.election_timeout_us
        if kind == "disk":
            return Timer(now, now + self.between(f"disk {name}", *timing.disk_us))
        lasts = {"heartbeat": timing.heartbeat_us, "silence": shortest, "quorum": longest}
        local = lasts[kind] if kind in lasts else self.between(f"election {name}", shortest, longest)
        return Timer(now, now + timing.lasts(name, local))
