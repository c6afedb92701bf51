"""What the checker's functions say to arguments that make no sense."""

import pytest

from raft_lab import (
    INVARIANTS,
    Cluster,
    HandlerError,
    RaftLabError,
    Server,
    check_linearizable,
    explore,
    fuzz,
    history_of,
    shrink,
)
from raft_lab.check.loading import load_server


def small(**arguments):
    return explore(Cluster(3), depth=3, **arguments)


WRONG = {
    "a class to explore": (lambda: explore(Server), TypeError, "runs of a cluster, explore(Cluster(3)), not of <class"),
    "bounds as a number": (lambda: explore(Cluster(3), bounds=3), TypeError, "explore(cluster, crashes=1), not 3"),
    "a bound misspelt": (lambda: small(crahes=1), ValueError, "there is no bound 'crahes'; the bounds are term, log"),
    "an invariant misspelt": (lambda: small(invariants="Safety"), ValueError, "no invariant called 'Safety'"),
    "an invariant that is a number": (lambda: small(invariants=3), ValueError, "no invariant called 3"),
    "names and numbers": (lambda: small(invariants=["x", 3]), ValueError, "no invariant called 'x'"),
    "questions in a list": (lambda: small(reach=["leader"]), TypeError, "reach maps names to functions of a world"),
    "until a word": (lambda: small(until="leader"), TypeError, "until is a function of a world, not 'leader'"),
    "until asks a cluster": (
        lambda: small(until=lambda c: c.leader),
        RaftLabError,
        "a World, as in lambda",
    ),
    "a question that fails": (
        lambda: small(reach={"a half": lambda world: 1 / 0}),
        RaftLabError,
        "the question 'a half' failed: ZeroDivisionError",
    ),
    "symmetry in words": (lambda: small(symmetry="yes"), ValueError, "symmetry is True, False or 'auto', not 'yes'"),
    "symmetry of many servers": (
        lambda: explore(Cluster(25), symmetry=True),
        ValueError,
        "too many for 25 servers: it takes at most 5",
    ),
    "symmetry of fields that nobody knows": (
        lambda: explore(Cluster(3, server=Comparing), symmetry=True),
        ValueError,
        "nobody has said where last, a field of Comparing's own, holds names: leave it out",
    ),
    "no seeds": (lambda: fuzz(Server, seeds=[]), ValueError, "at least one run is needed"),
    "an executor that is none": (lambda: fuzz(Server, 1, executor=3), ValueError, "concurrent.futures.Executor"),
    "fuzz an invariant that is a number": (lambda: fuzz(Server, 1, invariants=3), ValueError, "no invariant called 3"),
    "the history of a class": (lambda: history_of(Cluster), TypeError, "the history of a Cluster, not of <class"),
    "a model by its name": (
        lambda: check_linearizable(Cluster(3), "register"),
        TypeError,
        "MODELS['register'](), not 'register'",
    ),
    "shrink a report": (lambda: shrink(small()), TypeError, "the Counterexample of a report"),
}


@pytest.mark.parametrize(("call", "error", "sentence"), WRONG.values(), ids=WRONG)
def test_it_is_said_what_was_given_and_what_is_wanted(call, error, sentence):
    with pytest.raises(error) as caught:
        call()
    assert sentence in str(caught.value)


def test_names_that_come_one_by_one_are_all_asked():
    class Generous(Server):
        def may_vote_for(self, candidate):
            return True

    names = (invariant.name for invariant in INVARIANTS)
    assert explore(Cluster(3, server=Generous), invariants=names).counterexample is not None


def test_a_large_cluster_is_explored_at_once():
    assert explore(Cluster(25), depth=1).symmetry == 1


class Yielding(Server):
    def on_request_vote(self, m):
        yield m


class Waiting(Server):
    async def on_request_vote(self, m):
        pass


class Leaving(Server):
    def on_request_vote(self, m):
        raise GeneratorExit


class Circling(Server):
    volatile = {"seen": ()}

    def on_request_vote(self, m):
        seen = []
        seen.append(seen)
        self.seen = seen


class Deleting(Server):
    def on_request_vote(self, m):
        del self.current_term


class Counting(Server):
    def on_request_vote(self, m):
        self.current_term = 10**5000


class Unlike:
    def __eq__(self, other):
        raise RuntimeError("I compare with nobody")

    def __hash__(self):
        return 1


class Comparing(Server):
    volatile = {"last": None}

    def on_request_vote(self, m):
        self.last = Unlike()


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (Yielding, "is written with yield, which goes nowhere: use self.send"),
        (Waiting, "is written with async, which goes nowhere: use self.send"),
        (Leaving, "Leaving failed on S2 while handling RequestVote: GeneratorExit"),
        (Circling, "Circling on S2 left no whole state while handling RequestVote: something nested without an end"),
        (Deleting, "Deleting on S2 left no whole state while handling RequestVote"),
        (Comparing, "a server's state must be made of values, and a Unlike is not one"),
        (Counting, "set self.current_term to a number that does not fit into 64 bits"),
    ],
)
def test_a_handler_that_does_what_no_handler_may_is_told_the_same_way_each_time(server, sentence):
    cluster = Cluster(3, server=server)
    cluster.timeout("S1")
    with pytest.raises(HandlerError, match=sentence):
        cluster.deliver("S1", "S2")
    assert len(cluster.tape) == 2
    assert sentence in str(explore(Cluster(3, server=server), depth=2))


def test_a_file_that_ends_the_program_is_not_a_class(tmp_path):
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(5)\n")
    with pytest.raises(RaftLabError, match=r"cannot be imported \(SystemExit: 5\)"):
        load_server(f"{tmp_path / 'leaving.py'}:Mine")


@pytest.mark.parametrize("name", ["step", "initial"])
def test_what_calls_the_handlers_is_no_handler(name):
    with pytest.raises(HandlerError, match=rf"Own defines {name}, which is no handler: .* such as on_request_vote"):
        type("Own", (Server,), {name: classmethod(lambda cls, *arguments: None)})


def test_a_server_has_no_beginning_of_its_own():
    with pytest.raises(
        HandlerError, match=r"Beginning has an __init__, which keeps nothing: .* volatile = \{'seen': 0\}"
    ):

        class Beginning(Server):
            def __init__(self):
                self.seen = 0
