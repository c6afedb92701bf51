"""The search beneath the explorer, on Diego Ongaro's raft.tla: the same states as a search with tuples and a set."""

import itertools
from functools import partial

import pytest

from benchmarks.raft_tla import Bounds, RaftTla, initial, plain_successors, renamed, within
from raft_lab.check.search import Search
from raft_lab.check.system import Move

SMALL = [
    Bounds(servers=2, max_term=2, max_log=1, max_messages=1),
    Bounds(servers=2, max_term=2, max_log=1, max_messages=2),
    Bounds(servers=2, max_term=2, max_log=2, max_messages=1),
    Bounds(servers=2, values=2, max_term=2, max_log=1, max_messages=1),
    Bounds(servers=2, max_term=3, max_log=0, max_messages=1),
    Bounds(servers=3, max_term=2, max_log=1, max_messages=2),
]
FAR = {SMALL[-1]: 6}
"""How many moves away from the beginning a search looks, where all would be too many."""


def searched_plainly(bounds: Bounds):
    """All states, the number of moves, and how far the farthest state is."""
    start = (tuple(initial(i, bounds.servers) for i in range(bounds.servers)), frozenset())
    seen, levels, moves = {start}, [[start]], 0
    while levels[-1] and len(levels) - 1 != FAR.get(bounds):
        levels.append([])
        for servers, bag in levels[-2]:
            for after in plain_successors(servers, bag, bounds):
                moves += 1
                fits = len(after[1]) <= bounds.max_messages and all(within(s, bounds) for s in after[0])
                if fits and after not in seen:
                    seen.add(after)
                    levels[-1].append(after)
    return seen, moves, len(levels) - 1 - (not levels[-1])


@pytest.mark.parametrize("bounds", SMALL, ids=str)
def test_it_finds_the_states_that_a_plain_search_finds(bounds):
    seen, moves, depth = searched_plainly(bounds)
    system = RaftTla(bounds, symmetry=False)
    search = Search(system)
    found = search.run(FAR.get(bounds))
    assert (found.states, found.transitions, found.depth) == (len(seen), moves, depth)
    assert {as_values(system, search, state) for state in search.within()} == seen


@pytest.mark.parametrize("bounds", SMALL, ids=str)
def test_with_symmetry_it_finds_one_state_of_each_orbit(bounds):
    seen, _, depth = searched_plainly(bounds)
    orders = list(itertools.permutations(range(bounds.servers)))
    orbits = {frozenset(image(state, order) for order in orders) for state in seen}
    found = Search(RaftTla(bounds, symmetry=True)).run(FAR.get(bounds))
    assert (found.states, found.depth) == (len(orbits), depth)


def as_values(system, search, state):
    vector, bag = search.parts(state)
    return tuple(system.locals.seen[n] for n in vector), frozenset(system.messages.seen[m] for m in bag)


def image(state, order):
    servers, bag = state
    moved = tuple(renamed(servers[order.index(i)], order) for i in range(len(servers)))
    return moved, frozenset(m._replace(src=order[m.src], dst=order[m.dst]) for m in bag)


def test_a_handler_runs_once_for_each_local_state_and_message():
    system = RaftTla(Bounds(servers=2), symmetry=False)
    found = Search(system).run()
    assert system.calls < len(system.locals) * (1 + len(system.messages))
    assert found.transitions > 10 * system.calls


# --- A system of three lamps, to see the search itself ------------------------------------------------


class Lamps:
    """Each of three lamps can be switched on; when one is, a spark flies to the others, which breaks the third."""

    def __init__(self, symmetric=True, fragile=False):
        orders = tuple(itertools.permutations(range(3)))
        self.renamings = orders if symmetric else orders[:1]
        self.fragile = fragile

    def first(self):
        return (0, 0, 0), ()

    def moves(self, message):
        if message is None:
            return [((i,), partial(self.switch, i)) for i in range(3)]
        return [((), lambda _: [Move(f"spark {message} dies", (), message)])]

    def switch(self, i, lamp):
        if lamp == (0,):
            yield Move(f"on {i}", (1,), None, (i,))

    def sound(self, vector):
        return not self.fragile or vector != (1, 1, 1)

    def breaks(self, doubt, vector):
        return False

    def after(self, bag, taken, sent):
        left = list(bag)
        if taken is not None:
            left.remove(taken)
        return tuple(sorted([*left, *sent])) if len(left) + len(sent) < 3 else None

    def image(self, local, renaming):
        return local

    def image_of_message(self, message, renaming):
        return renaming[message]


def test_every_state_is_counted_once():
    """For each set of lit lamps every set of their sparks that has fewer than three: 1 + 3 * 2 + 3 * 4 + 7."""
    found = Search(Lamps(symmetric=False)).run()
    assert (found.states, found.depth, found.stopped) == (26, 6, "")


def test_each_orbit_is_counted_once():
    """So many lamps are lit, and so many of their sparks fly: 1 + 2 + 3 + 3."""
    assert Search(Lamps()).run().states == 9


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_run_to_what_is_broken_is_a_shortest_one(symmetric):
    found = Search(Lamps(symmetric, fragile=True)).run()
    assert (found.stopped, found.path) == ("broken", ("on 0", "on 1", "on 2"))


def test_it_stops_at_what_it_looks_for():
    search = Search(Lamps(symmetric=False))
    found = search.run(until=lambda state: search.parts(state) == ((1, 0, 1), ()))
    assert (found.stopped, len(found.path)) == ("found", 4)


def test_it_goes_no_further_than_asked():
    assert (Search(Lamps(False)).run(depth=1).states, Search(Lamps(False)).run(depth=1).stopped) == (4, "depth")
    assert (Search(Lamps(False)).run(states=5).states, Search(Lamps(False)).run(states=5).stopped) == (5, "states")


def test_an_interrupted_search_says_what_it_has_seen():
    seen = []

    def press(state):
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.append(state)
        return False

    found = Search(Lamps(False)).run(until=press)
    assert (found.stopped, found.states) == ("interrupted", 6)
