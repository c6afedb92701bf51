"""What cannot be done is refused with one clear sentence, and nothing has changed afterwards."""

import hashlib
import json

import pytest

from raft_lab import (
    ActionRefused,
    Cluster,
    HandlerError,
    Leader,
    RaftLabError,
    RequestVote,
    Server,
    Timing,
    TraceError,
    UnknownName,
)
from raft_lab.sim.actions import Crash, Deliver, Partition, Timeout
from raft_lab.sim.files import LARGEST
from raft_lab.sim.trace import VERSION

# --- Calls ------------------------------------------------------------------------------------------


def busy() -> Cluster:
    """S1 leads, S3 is crashed, the link from S1 to S2 is cut, and messages are in flight."""
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("set x 1")
    cluster.crash("S3")
    cluster.cut("S1", "S2")
    return cluster


GONE = RequestVote("S1", "S2", 1, 0, 0)

REFUSED = {
    "an unknown server times out": (
        lambda c: c.timeout("S9"),
        UnknownName,
        "there is no server 'S9'; the servers are S1, S2, S3",
    ),
    "a server that is a number": (lambda c: c.crash(1), UnknownName, "there is no server 1"),
    "a server that is a list": (lambda c: c.crash([]), UnknownName, "there is no server []"),
    "an unknown server looked up": (lambda c: c["S9"], UnknownName, "there is no server 'S9'"),
    "an unknown server in a cut": (lambda c: c.cut("S1", "S9"), UnknownName, "there is no server 'S9'"),
    "an unknown server in a partition": (lambda c: c.partition({"S9"}), UnknownName, "there is no server 'S9'"),
    "an unknown server gets a proposal": (lambda c: c.propose("x", "S9"), UnknownName, "there is no server 'S9'"),
    "an unknown leader is awaited": (lambda c: c.run_until(leader="S9"), UnknownName, "there is no server 'S9'"),
    "a crashed server crashes": (lambda c: c.crash("S3"), ActionRefused, "S3 is crashed already"),
    "a crashed server times out": (lambda c: c.timeout("S3"), ActionRefused, "restart it first: cluster.restart('S3')"),
    "a crashed server gets a proposal": (
        lambda c: c.propose("x", "S3"),
        ActionRefused,
        "S3 is crashed; restart it first",
    ),
    "a running server restarts": (lambda c: c.restart("S2"), ActionRefused, "only a crashed server restarts"),
    "a leader times out": (lambda c: c.timeout("S1"), ActionRefused, "a leader has no election timer"),
    "a follower sends heartbeats": (lambda c: c.heartbeat("S2"), ActionRefused, "only a leader sends heartbeats"),
    "a message no longer in flight arrives": (lambda c: c.deliver(GONE), ActionRefused, "is not in flight"),
    "a message no longer in flight is lost": (lambda c: c.drop(GONE), ActionRefused, "is not in flight"),
    "a message no longer in flight is doubled": (lambda c: c.duplicate(GONE), ActionRefused, "is not in flight"),
    "a message no longer in flight is held": (lambda c: c.hold(GONE), ActionRefused, "is not in flight"),
    "a message no longer in flight is released": (lambda c: c.release(GONE), ActionRefused, "is not in flight"),
    "a message arrives over a cut link": (lambda c: c.deliver("S1", "S2"), ActionRefused, "is cut; mend it first"),
    "a message arrives at a crashed server": (
        lambda c: c.deliver("S1", "S3"),
        ActionRefused,
        "S3 is crashed; restart it",
    ),
    "a message of a kind that is not there": (
        lambda c: c.deliver("S1", "S2", "RequestVote"),
        ActionRefused,
        "no RequestVote from S1 to S2 is in flight",
    ),
    "a message with one end only": (
        lambda c: c.deliver("S1"),
        ActionRefused,
        "its two ends: cluster.deliver('S1', 'S2')",
    ),
    "a message that is none": (lambda c: c.drop(None), ActionRefused, "name a message of cluster.messages"),
    "a link is cut twice": (lambda c: c.cut("S1", "S2"), ActionRefused, "is cut already"),
    "a whole link is mended": (lambda c: c.mend("S2", "S1"), ActionRefused, "is not cut"),
    "a link to oneself is cut": (lambda c: c.cut("S1", "S1"), ActionRefused, "needs no link to itself"),
    "a partition without sides": (lambda c: c.partition(), ActionRefused, "at least two sides"),
    "a partition with one side": (lambda c: c.partition({"S1", "S2", "S3"}), ActionRefused, "at least two sides"),
    "a partition with an empty side": (lambda c: c.partition(set(), {"S1"}), ActionRefused, "each with a server"),
    "a partition of numbers": (lambda c: c.partition(3), ActionRefused, "takes groups of servers"),
    "a server on both sides": (lambda c: c.partition({"S1", "S2"}, {"S2", "S3"}), ActionRefused, "on one side"),
    "a partition that leaves servers out": (
        lambda c: c.perform(Partition((frozenset({"S1"}), frozenset({"S2"})))),
        ActionRefused,
        "say on which side S3 should be",
    ),
    "an action that is none": (lambda c: c.perform("timeout"), ActionRefused, "is not an action"),
    "an action on a message that is none": (lambda c: c.perform(Deliver("hello")), ActionRefused, "is not a message"),
    "an action on a server that is none": (lambda c: c.perform(Crash(5)), UnknownName, "there is no server 5"),
    "a command that is a number": (lambda c: c.propose(3), ActionRefused, "a command is a string such as 'set x 1'"),
    "another engine that is a number": (lambda c: c.swap(5), ActionRefused, "a subclass of Server"),
    "another engine that is some class": (lambda c: c.swap(int), ActionRefused, "a subclass of Server"),
    "no steps": (lambda c: c.step(0), ActionRefused, "a whole number above 0"),
    "half a step": (lambda c: c.step(0.5), ActionRefused, "a whole number above 0"),
    "time as a word": (lambda c: c.run("long"), ActionRefused, "a number of milliseconds"),
    "time backwards": (lambda c: c.run(-5), ActionRefused, "a number of milliseconds above 0"),
    "time that is no number": (lambda c: c.run(float("nan")), ActionRefused, "a number of milliseconds"),
    "a step not on the tape": (
        lambda c: c.goto(10_000),
        UnknownName,
        "there is no step 10000; the tape holds steps 0 to",
    ),
    "a step before the first": (lambda c: c.goto(-1), UnknownName, "there is no step -1"),
    "a step of another cluster": (lambda c: c.goto(Cluster(3).now), UnknownName, "a step of another cluster"),
    "too many deliveries": (lambda c: c.deliver_all(limit=0), ActionRefused, "raise the limit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_call_says_why_and_changes_nothing(case):
    call, error, sentence = REFUSED[case]
    cluster = busy()
    world, schedule, now, steps = cluster.world, cluster.schedule, cluster.now, len(cluster.tape)
    if case == "too many deliveries":
        cluster.heal()
        world, schedule, now, steps = cluster.world, cluster.schedule, cluster.now, len(cluster.tape)
    with pytest.raises(error) as caught:
        call(cluster)
    assert isinstance(caught.value, RaftLabError)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (cluster.world, cluster.schedule) == (world, schedule)
    assert cluster.now is now
    assert len(cluster.tape) == steps


@pytest.mark.parametrize("ms", ["long", float("nan"), float("inf")])
def test_waiting_for_no_number_of_milliseconds_is_refused(ms):
    cluster = busy()
    with pytest.raises(ActionRefused):
        cluster.wait(ms)


def test_a_message_to_a_server_that_does_not_exist_is_refused_or_lost():
    class Writing(Server):
        def on_election_timeout(self):
            self.send(RequestVote(self.id, "S9", 1, 0, 0))

    cluster = Cluster(3, server=Writing)
    try:
        cluster.timeout("S1")
    except HandlerError:
        return
    cluster.step(60)


def test_with_no_leader_a_proposal_needs_a_name():
    cluster = Cluster(3)
    with pytest.raises(ActionRefused, match=r"no server leads now.*cluster\.run_until\(leader=True\) first"):
        cluster.propose("set x 1")
    assert len(cluster.tape) == 1


def test_an_ambiguous_message_is_asked_back_with_the_choices():
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.timeout("S1")
    with pytest.raises(ActionRefused, match=r"2 different messages.*term=1.*term=2"):
        cluster.deliver("S1", "S2")


def test_when_all_servers_are_down_nothing_will_ever_happen():
    cluster = Cluster(["a", "b"])
    cluster.crash("a")
    cluster.crash("b")
    with pytest.raises(ActionRefused, match="nothing will ever happen by itself"):
        cluster.step()


def test_what_does_not_come_about_is_refused_and_the_steps_taken_stay():
    cluster = Cluster(2, seed=1)
    cluster.partition({"S1"}, {"S2"})
    with pytest.raises(ActionRefused, match="after 50 steps it is still not so"):
        cluster.run_until(leader=True, max_steps=50)
    assert len(cluster.history) == 52


# --- Construction -----------------------------------------------------------------------------------

BAD_ARGUMENTS = {
    "no servers": lambda: Cluster(0),
    "a negative number of servers": lambda: Cluster(-3),
    "too many servers": lambda: Cluster(26),
    "half a server": lambda: Cluster(2.5),
    "None servers": lambda: Cluster(None),
    "True servers": lambda: Cluster(True),
    "an empty list of servers": lambda: Cluster([]),
    "an empty name": lambda: Cluster(["S1", ""]),
    "the same name twice": lambda: Cluster(["S1", "S1"]),
    "numbers for names": lambda: Cluster([1, 2, 3]),
    "a word for a seed": lambda: Cluster(3, seed="seven"),
    "no seed": lambda: Cluster(3, seed=None),
    "a number for a timing": lambda: Cluster(3, timing=5),
    "a number for an engine": lambda: Cluster(3, server=5),
    "some class for an engine": lambda: Cluster(3, server=int),
    "terms that fall along a log": lambda: Cluster(3, logs={"S1": [(2, "a"), (1, "b")]}),
    "a term below 1": lambda: Cluster(3, logs={"S1": [(0, "a")]}),
    "a term in words": lambda: Cluster(3, logs={"S1": [("one", "a")]}),
    "an entry that is a number": lambda: Cluster(3, logs={"S1": [3]}),
    "an entry of three": lambda: Cluster(3, logs={"S1": [(1, "a", "b")]}),
    "a log that is a number": lambda: Cluster(3, logs={"S1": 3}),
    "a timeout range upside down": lambda: Timing(election_timeout_us=(300_000, 150_000)),
    "a timeout of zero": lambda: Timing(election_timeout_us=(0, 1)),
    "one latency": lambda: Timing(latency_us=5),
    "three latencies": lambda: Timing(latency_us=(1, 2, 3)),
    "half a microsecond": lambda: Timing(heartbeat_us=0.5),
    "a heartbeat of True": lambda: Timing(heartbeat_us=True),
    "certain loss": lambda: Timing(loss=1),
    "negative loss": lambda: Timing(loss=-0.1),
    "loss in words": lambda: Timing(loss="some"),
    "a duplication that is no number": lambda: Timing(duplication=float("nan")),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_a_bad_argument_is_a_value_error_in_one_sentence(case):
    with pytest.raises(ValueError) as caught:
        BAD_ARGUMENTS[case]()
    assert len(str(caught.value).split()) >= 5
    assert "\n" not in str(caught.value)


def test_a_log_for_an_unknown_server_is_an_unknown_name():
    with pytest.raises(UnknownName, match="there is no server 'S9'; the servers are S1, S2, S3"):
        Cluster(3, logs={"S9": []})


# --- Handlers that do what no handler may -------------------------------------------------------------


class Crashing(Server):
    def on_election_timeout(self):
        raise ZeroDivisionError("no")


class SendingNonsense(Server):
    def on_election_timeout(self):
        self.send("vote for me")


class SendingWords(Server):
    def on_election_timeout(self):
        self.send(RequestVote(self.id, "S2", "high", 0, 0))


class Forging(Server):
    def on_election_timeout(self):
        self.send(RequestVote("S3", "S2", 1, 0, 0))


class SendingToSelf(Server):
    def on_election_timeout(self):
        self.send(RequestVote(self.id, self.id, 1, 0, 0))


class Forgetful(Server):
    def on_election_timeout(self):
        self.elections = 1


class Mistyped(Server):
    def on_election_timeout(self):
        self.current_term = "1"


class OddRole(Server):
    def on_election_timeout(self):
        self.role = Leader({"S2": [1]})


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (Crashing, "Crashing failed on S1 while handling ElectionTimeout: ZeroDivisionError: no"),
        (SendingNonsense, "'vote for me', which is not a message such as RequestVoteReply"),
        (SendingWords, "'high'"),
        (Forging, "a server sends from itself"),
        (SendingToSelf, "to another member"),
        (Forgetful, "set self.elections, which no one declared: give Forgetful a line volatile = {'elections'"),
        (Mistyped, "set self.current_term to '1'; it must be int"),
        (OddRole, "is not one"),
    ],
)
def test_a_handler_that_misbehaves_is_told_how_and_nothing_has_changed(server, sentence):
    cluster = Cluster(3, server=server)
    with pytest.raises(HandlerError) as caught:
        cluster.timeout("S1")
    assert sentence in str(caught.value)
    assert len(cluster.tape) == 1


# --- Files ------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A saved run: its path and what is in it."""
    cluster = Cluster(3, seed=5)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.perform(Timeout("S1"))
    path = tmp_path / "run.json"
    cluster.save(path)
    return path, json.loads(path.read_text())


def resealed(content: dict) -> str:
    """The content with a checksum that fits, as a careful forger would write it."""
    content = {name: value for name, value in content.items() if name != "checksum"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return json.dumps({**content, "checksum": "sha256:" + hashlib.sha256(text.encode()).hexdigest()})


def forged(content, where, value):
    """`content` with the item at the path `where` replaced."""
    content = json.loads(json.dumps(content))
    inner = content
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    return content


DAMAGE = {
    "empty": (lambda text, c: "", "it is not whole JSON"),
    "cut short": (lambda text, c: text[: len(text) // 2], "it is not whole JSON .* was it cut short?"),
    "one byte short": (lambda text, c: text.rstrip()[:-1], "it is not whole JSON"),
    "prose": (lambda text, c: "Dear diary", "it is not whole JSON"),
    "a list": (lambda text, c: "[1, 2]", "not a run saved by raft_lab"),
    "a number": (lambda text, c: "7", "not a run saved by raft_lab"),
    "another format": (lambda text, c: json.dumps({"format": "notebook"}), "not a run saved by raft_lab"),
    "brackets without end": (lambda text, c: "[" * 200_000, "cannot be loaded"),
    "newer": (
        lambda text, c: resealed(forged(c, ["version"], VERSION + 1)),
        f"version {VERSION + 1}.*upgrade raft_lab",
    ),
    "no version": (lambda text, c: resealed({k: v for k, v in c.items() if k != "version"}), "version None"),
    "seed edited": (lambda text, c: json.dumps(forged(c, ["seed"], 6)), "changed after it was saved"),
    "checksum removed": (
        lambda text, c: json.dumps({k: v for k, v in c.items() if k != "checksum"}),
        "changed after it was saved",
    ),
    "a step edited": (
        lambda text, c: json.dumps(forged(c, ["steps", 0, "verb"], "drop")),
        "changed after it was saved",
    ),
    "no steps, resealed": (lambda text, c: resealed({k: v for k, v in c.items() if k != "steps"}), "damaged"),
    "steps a number, resealed": (lambda text, c: resealed(forged(c, ["steps"], 5)), "damaged"),
    "cursor beyond the end, resealed": (lambda text, c: resealed(forged(c, ["cursor"], 10_000)), "no step 10000"),
    "cursor a word, resealed": (lambda text, c: resealed(forged(c, ["cursor"], "end")), "damaged"),
    "cursor elsewhere, resealed": (lambda text, c: resealed(forged(c, ["cursor"], 1)), "lead elsewhere"),
    "an unknown verb, resealed": (
        lambda text, c: resealed(forged(c, ["steps", 0, "verb"], "bribe")),
        "'bribe', which no action",
    ),
    "a verb that does not fit, resealed": (
        lambda text, c: resealed(forged(c, ["steps", 0, "verb"], "drop")),
        "damaged",
    ),
    "a step of a server that is not there, resealed": (
        lambda text, c: resealed(forged(c, ["steps", 0, "action", "server"], "S9")),
        "cannot be done again: there is no server 'S9'",
    ),
    "a step that follows itself, resealed": (
        lambda text, c: resealed(forged(c, ["steps", 0, "parent"], 1)),
        "not before it",
    ),
    "a step twice, resealed": (
        lambda text, c: resealed(forged(c, ["steps"], [c["steps"][0], *c["steps"]])),
        "cannot be loaded",
    ),
    "time running backwards, resealed": (
        lambda text, c: resealed(forged(c, ["steps", -1, "now_us"], 1)),
        "time goes back",
    ),
    "a step left out, resealed": (lambda text, c: resealed(forged(c, ["steps"], c["steps"][1:])), "cannot be loaded"),
    "an unknown engine, resealed": (
        lambda text, c: resealed(forged(c, ["behaviour", "class"], "Mine")),
        r"the handlers of Mine: give that class, Cluster\.load\(path, Mine\)",
    ),
    "a server's term edited, resealed": (
        lambda text, c: resealed(forged(c, ["world", "servers", 0, 1, "current_term"], 3)),
        "cannot be loaded",
    ),
    "a term in words, resealed": (
        lambda text, c: resealed(forged(c, ["world", "servers", 0, 1, "current_term"], "three")),
        "damaged",
    ),
    "an extra field, resealed": (
        lambda text, c: resealed(forged(c, ["world", "servers", 0, 1, "colour"], "red")),
        "damaged",
    ),
    "an impossible timing, resealed": (lambda text, c: resealed(forged(c, ["timing", "loss"], 2.0)), "probability"),
    "no servers, resealed": (lambda text, c: resealed(forged(c, ["world", "servers"], [])), "cannot be loaded"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_file_is_a_trace_error_in_one_sentence_that_names_the_file(saved, case):
    path, content = saved
    damage, sentence = DAMAGE[case]
    path.write_text(damage(path.read_text(), content))
    with pytest.raises(TraceError, match=sentence) as caught:
        Cluster.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_resealing_alone_does_no_harm(saved):
    path, content = saved
    path.write_text(resealed(content))
    assert Cluster.load(path).now.id == content["cursor"]


def test_a_binary_file_is_a_trace_error(saved):
    path, _ = saved
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(TraceError, match="cannot be loaded"):
        Cluster.load(path)


def test_a_huge_file_is_refused_before_it_is_read(saved):
    path, _ = saved
    with path.open("ab") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(TraceError, match="larger than 64 MiB"):
        Cluster.load(path)


def test_a_missing_file_and_a_folder_are_trace_errors(tmp_path):
    with pytest.raises(TraceError, match="there is no file"):
        Cluster.load(tmp_path / "nothing.json")
    with pytest.raises(TraceError, match="cannot be loaded"):
        Cluster.load(tmp_path)


def test_saving_where_there_is_no_folder_is_a_trace_error_and_leaves_nothing(tmp_path):
    with pytest.raises(TraceError, match="cannot be written"):
        Cluster(3).save(tmp_path / "no" / "run.json")
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_an_engine_that_has_changed_since_is_refused(tmp_path):
    class Mine(Server):
        pass

    cluster = Cluster(3, server=Mine)
    cluster.timeout("S1")
    cluster.save(tmp_path / "run.json")

    class Mine(Server):
        def on_election_timeout(self):
            self.current_term += 2

    with pytest.raises(TraceError, match="lead elsewhere than when it was saved, so Mine has changed since"):
        Cluster.load(tmp_path / "run.json", Mine)
