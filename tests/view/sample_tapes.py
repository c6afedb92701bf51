"""Tapes to show in a browser, written by a toy Raft: just enough of one to look real."""

from __future__ import annotations

import copy
import marshal
import random
from typing import Any

Json = dict[str, Any]
KEYFRAME_EVERY = 64


def patch_between(old: Any, new: Any) -> Any:
    """The merge patch (RFC 7396) that turns `old` into `new`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch = {key: None for key in old if key not in new}
    patch |= {key: patch_between(old.get(key), value) for key, value in new.items() if old.get(key) != value}
    return patch


def copied(value: Any) -> Any:
    """A deep copy of plain data, quickly."""
    return marshal.loads(marshal.dumps(value))


class Toy:
    """A toy cluster that writes a tape of what is done to it."""

    def __init__(self, size: int = 5, seed: int = 1) -> None:
        self.ids = [f"S{i + 1}" for i in range(size)]
        self.random = random.Random(seed)
        self.steps: list[Json] = []
        self.frames: list[Json] = []
        self.depths: list[int] = []
        self.cursor = -1
        self.sent = 0
        self.more_verbs: dict[str, str] = {}
        invariants = [
            "Election Safety",
            "Leader Append-Only",
            "Log Matching",
            "Leader Completeness",
            "State Machine Safety",
        ]
        self.frame: Json = {
            "time_us": 0,
            "servers": {},
            "messages": {},
            "cuts": {},
            "next": "",
            "quorum": {"voters": list(self.ids), "old": [], "learners": []},
            "invariants": dict.fromkeys([*invariants, *(f"Rule {n} of Figure 2" for n in range(1, 11))], ""),
        }
        for server in self.ids:
            self.frame["servers"][server] = {
                "role": "follower",
                "crashed": False,
                "term": 0,
                "voted_for": "",
                "leader_id": "",
                "votes": {},
                "log": {},
                "first_index": 1,
                "last_index": 0,
                "commit_index": 0,
                "last_applied": 0,
                "progress": {},
                "timer": {},
                "can": {},
            }
            self.wind(server)
        self.record(
            "start",
            "",
            "",
            "The servers wake up as followers of nobody; each waits for a leader, and none comes.",
            code=f"cluster = Cluster({size}, seed={seed})",
        )

    # what a server does

    def wind(self, server: str) -> None:
        leads = self.frame["servers"][server]["role"] == "leader"
        now, wait = self.frame["time_us"], 50_000 if leads else self.random.randint(150_000, 300_000)
        kind = "heartbeat" if leads else "election"
        self.frame["servers"][server]["timer"] = {"kind": kind, "from_us": now, "due_us": now + wait}

    def send(self, kind: str, src: str, dst: str, label: str, text: str, **more: Any) -> None:
        self.sent += 1
        now = self.frame["time_us"]
        self.frame["messages"][f"m{self.sent}"] = {
            "kind": kind,
            "src": src,
            "dst": dst,
            "term": self.frame["servers"][src]["term"],
            "reply": kind.endswith("Reply"),
            "ok": True,
            "heartbeat": False,
            "label": label,
            "text": text,
            "fields": {"last_log_index": "1", "last_log_term": "1"},
            "sent_us": now,
            "due_us": now + self.random.randint(8_000, 16_000),
            "held": False,
            "can": {},
            **more,
        }

    def timeout(self, server: str) -> int:
        me = self.frame["servers"][server]
        me |= {
            "role": "candidate",
            "term": me["term"] + 1,
            "voted_for": server,
            "leader_id": "",
            "votes": {server: True},
            "progress": {},
        }
        self.wind(server)
        for peer in self.peers(server):
            self.send(
                "RequestVote",
                server,
                peer,
                "vote?",
                f"RequestVote, term {me['term']}: last log entry is index {me['last_index']}",
            )
        sentence = (
            f"{server}'s election timer ran out, so it starts an election for term {me['term']}: "
            "it votes for itself and asks everyone else."
        )
        return self.record(
            "timeout",
            server,
            "",
            sentence,
            ["election", "term"],
            code=f"cluster.timeout('{server}')",
            rule="If election timeout elapses without receiving AppendEntries or granting a vote: convert to candidate",
        )

    def peers(self, server: str) -> list[str]:
        return [peer for peer in self.ids if peer != server]

    def append_to(self, leader: str, follower: str, beat: bool = False) -> None:
        me = self.frame["servers"][leader]
        index = me["progress"][follower]["next_index"]
        news = 0 if beat else max(0, me["last_index"] - index + 1)
        label = f"append {index}" if news else "beat"
        self.send(
            "AppendEntries",
            leader,
            follower,
            label,
            f"AppendEntries, term {me['term']}: {news} entries from index {index}",
            heartbeat=not news,
            fields={"prev_log_index": str(index - 1), "entries": str(news), "leader_commit": str(me["commit_index"])},
        )

    def add_entry(self, leader: str, text: str, kind: str) -> None:
        me = self.frame["servers"][leader]
        me["last_index"] += 1
        me["log"][str(me["last_index"])] = {"term": me["term"], "text": text, "kind": kind}

    def deliver(self, name: str) -> int:
        message = self.frame["messages"].pop(name)
        me, sender = self.frame["servers"][message["dst"]], self.frame["servers"][message["src"]]
        here, there, marks = message["dst"], message["src"], []
        self.frame["time_us"] = max(self.frame["time_us"], message["due_us"])
        said = f"{here} gets {message['label']} from {there}"
        if message["term"] > me["term"]:
            me |= {"term": message["term"], "voted_for": "", "role": "follower", "votes": {}, "progress": {}}
            self.wind(here)
        match message["kind"]:
            case "RequestVote":
                grant = (
                    message["term"] == me["term"]
                    and me["voted_for"] in ("", there)
                    and sender["last_index"] >= me["last_index"]
                )
                if grant:
                    me["voted_for"] = there
                    self.wind(here)
                said = (
                    f"{here} grants {there} its vote for term {me['term']}."
                    if grant
                    else f"{here} refuses {there} its vote: it has voted for {me['voted_for'] or 'nobody'}."
                )
                self.send(
                    "RequestVoteReply",
                    here,
                    there,
                    "yes" if grant else "no",
                    f"vote {'granted' if grant else 'refused'}",
                    ok=grant,
                )
            case "RequestVoteReply" if message["ok"] and me["role"] == "candidate" and message["term"] == me["term"]:
                me["votes"][there] = True
                said = f"{here} has {len(me['votes'])} votes of {len(self.ids)} for term {me['term']}."
                if len(me["votes"]) > len(self.ids) // 2:
                    marks.append("leader")
                    said = (
                        f"{here} has votes from a majority, so it leads term {me['term']}; it tells everyone at once."
                    )
                    me |= {"role": "leader", "leader_id": here, "votes": {}}
                    me["progress"] = {
                        p: {"next_index": me["last_index"] + 1, "match_index": 0} for p in self.peers(here)
                    }
                    self.wind(here)
                    self.add_entry(here, "no-op", "no-op")
                    for peer in self.peers(here):
                        self.append_to(here, peer)
            case "AppendEntries" if message["term"] == me["term"]:
                me |= {"role": "follower", "leader_id": there, "votes": {}}
                self.wind(here)
                prev, count = int(message["fields"]["prev_log_index"]), int(message["fields"]["entries"])
                ok = prev <= me["last_index"] and (prev == 0 or me["log"][str(prev)] == sender["log"].get(str(prev)))
                said = f"{here} finds no entry that matches index {prev}, and refuses."
                if ok:
                    for index in range(prev + 1, prev + 1 + count):
                        me["log"][str(index)] = copy.copy(sender["log"][str(index)])
                    if count:
                        me["last_index"] = prev + count
                        me["log"] = {k: v for k, v in me["log"].items() if int(k) <= me["last_index"]}
                    self.commit(here, min(int(message["fields"]["leader_commit"]), me["last_index"]), marks)
                    said = (
                        f"{here} appends {count} entries after index {prev}."
                        if count
                        else f"{here} hears that {there} still leads."
                    )
                match = prev + count if ok else 0
                self.send(
                    "AppendEntriesReply",
                    here,
                    there,
                    f"ok {match}" if ok else "no",
                    f"{'success' if ok else 'failure'}, match {match}",
                    ok=ok,
                    fields={"match_index": str(match)},
                )
            case "AppendEntriesReply" if me["role"] == "leader":
                progress = me["progress"][there]
                if message["ok"]:
                    progress["match_index"] = max(progress["match_index"], int(message["fields"]["match_index"]))
                    progress["next_index"] = progress["match_index"] + 1
                else:
                    progress["next_index"] = max(1, progress["next_index"] - 1)
                matches = sorted([me["last_index"], *(p["match_index"] for p in me["progress"].values())])
                before = me["commit_index"]
                self.commit(here, matches[(len(self.ids) - 1) // 2], marks)
                said = f"{here} learns that {there} has everything up to index {progress['match_index']}."
                if me["commit_index"] > before:
                    said = f"Index {me['commit_index']} is on a majority, so {here} commits it."
        return self.record(
            "deliver",
            here,
            name,
            said,
            marks,
            code=f"cluster.deliver('{name}')",
            rule="Reply false if term < currentTerm",
        )

    def commit(self, server: str, index: int, marks: list[str]) -> None:
        me = self.frame["servers"][server]
        if index > me["commit_index"]:
            me |= {"commit_index": index, "last_applied": index}
            marks.append("commit")

    # what people do

    def propose(self, leader: str, text: str) -> int:
        self.add_entry(leader, text, "command")
        for peer in self.peers(leader):
            self.append_to(leader, peer)
        return self.record(
            "propose",
            leader,
            "",
            f"A client asks {leader} for “{text}”; it becomes entry {self.frame['servers'][leader]['last_index']}.",
            code=f"cluster.propose('{text}')",
        )

    def heartbeat(self, leader: str) -> int:
        self.wind(leader)
        for peer in self.peers(leader):
            self.append_to(leader, peer)
        return self.record(
            "heartbeat",
            leader,
            "",
            f"{leader} tells everyone that it still leads.",
            code=f"cluster.heartbeat('{leader}')",
        )

    def crash(self, server: str) -> int:
        self.frame["servers"][server] |= {
            "crashed": True,
            "role": "follower",
            "votes": {},
            "progress": {},
            "commit_index": 0,
            "last_applied": 0,
            "timer": {"kind": "", "from_us": 0, "due_us": 0},
        }
        return self.record(
            "crash",
            server,
            "",
            f"{server} crashes: it keeps its term, vote and log, and forgets the rest.",
            ["crash"],
            code=f"cluster.crash('{server}')",
        )

    def cut(self, src: str, dst: str) -> int:
        self.frame["cuts"][f"{src}>{dst}"] = True
        return self.record(
            "cut", "", "", f"Nothing gets from {src} to {dst} any more.", code=f"cluster.cut('{src}', '{dst}')"
        )

    def partition(self, *groups: list[str]) -> int:
        self.frame["cuts"] = {f"{a}>{b}": True for g in groups for h in groups if g is not h for a in g for b in h}
        return self.record(
            "partition",
            "",
            "",
            " and ".join(", ".join(g) for g in groups) + " can no longer reach each other.",
            code=f"cluster.partition({', '.join(map(repr, groups))})",
        )

    def boot(self, name: str) -> int:
        """Start another server, which belongs to nobody yet."""
        blank = {"votes": {}, "log": {}, "progress": {}, "timer": {}, "can": {}}
        numbers = {"term": 0, "first_index": 1, "last_index": 0, "commit_index": 0, "last_applied": 0}
        words = {"role": "follower", "crashed": False, "voted_for": "", "leader_id": ""}
        self.frame["servers"][name] = {**words, **numbers, **blank}
        self.wind(name)
        return self.record("boot", name, "", f"{name} starts.", code=f"cluster.boot('{name}')")

    def drop(self, name: str) -> int:
        message = self.frame["messages"].pop(name)
        return self.record(
            "drop",
            message["dst"],
            name,
            f"{message['label']} from {message['src']} to {message['dst']} is lost.",
            code=f"cluster.drop('{name}')",
        )

    def hold(self, name: str) -> int:
        self.frame["messages"][name]["held"] = True
        return self.record("hold", "", name, "The message is held back.", code=f"cluster.hold('{name}')")

    def deliver_all(self, but: tuple[str, ...] = (), rounds: int = 200) -> None:
        """Deliver what is due first until nothing is left (what crosses a cut, or concerns `but`, is lost)."""
        for _ in range(rounds):
            if not self.frame["messages"]:
                return
            name = min(self.frame["messages"], key=lambda m: self.frame["messages"][m]["due_us"])
            src, dst = self.frame["messages"][name]["src"], self.frame["messages"][name]["dst"]
            lost = f"{src}>{dst}" in self.frame["cuts"] or self.frame["servers"][dst]["crashed"] or dst in but
            self.drop(name) if lost else self.deliver(name)

    def goto(self, step: int) -> None:
        self.cursor, self.frame = step, copied(self.frames[step])

    # the tape

    def record(
        self,
        verb: str,
        actor: str,
        message: str,
        sentence: str,
        marks: list[str] | None = None,
        code: str = "",
        rule: str = "",
    ) -> int:
        self.allow()
        parent, step = self.cursor, len(self.steps)
        self.depths.append(self.depths[parent] + 1 if step else 0)
        body = (
            {"frame": self.frame}
            if self.depths[step] % KEYFRAME_EVERY == 0
            else {"patch": patch_between(self.frames[parent], self.frame)}
        )
        self.steps.append(
            copied(
                {
                    "id": step,
                    "parent": parent,
                    **body,
                    "verb": verb,
                    "actor": actor,
                    "message": message,
                    "sentence": sentence,
                    "rule": rule,
                    "section": "§5.2" if rule else "",
                    "code": code,
                    "marks": marks or [],
                }
            )
        )
        self.frames.append(copied(self.frame))
        self.cursor = step
        return step

    def allow(self) -> None:
        for name, server in self.frame["servers"].items():
            leads, up = server["role"] == "leader", not server["crashed"]
            down = f"{name} is crashed; restart it first."
            server["can"] = {
                "timeout": down
                if not up
                else f"{name} is the leader; a leader has no election timer."
                if leads
                else "",
                "heartbeat": down
                if not up
                else ""
                if leads
                else f"{name} is a {server['role']}; only a leader sends heartbeats.",
                "propose": down
                if not up
                else ""
                if leads
                else f"{name} is a {server['role']}; only a leader takes proposals.",
                "crash": "" if up else f"{name} is crashed already.",
                "restart": f"{name} is running." if up else "",
                **self.more_verbs,
            }
        for name, message in self.frame["messages"].items():
            blocked = (
                f"the link {message['src']} → {message['dst']} is cut."
                if f"{message['src']}>{message['dst']}" in self.frame["cuts"]
                else ""
            )
            message["can"] = {
                "deliver": blocked or ("release it first." if message["held"] else ""),
                "drop": "",
                "duplicate": "",
                "hold": f"{name} is held already." if message["held"] else "",
                "release": "" if message["held"] else f"{name} is not held.",
            }
        due = [(m["due_us"], f"deliver {n}") for n, m in self.frame["messages"].items() if not m["held"]]
        due += [
            (s["timer"]["due_us"], f"{n}'s {s['timer']['kind']} timeout")
            for n, s in self.frame["servers"].items()
            if s["timer"]["kind"]
        ]
        when, what = min(due, default=(0, ""))
        self.frame["next"] = f"{what}, at {when / 1000:.1f} ms" if what else ""

    def tape(self, cursor: int | None = None) -> Json:
        return {"steps": self.steps, "cursor": self.cursor if cursor is None else cursor, "title": "", "modified": ""}


def election() -> Toy:
    """S3 asks for votes; two yeses are on their way."""
    toy = Toy(5)
    toy.frame["time_us"] = 153_200
    toy.timeout("S3")
    for _ in range(3):
        toy.deliver(min(toy.frame["messages"], key=lambda m: toy.frame["messages"][m]["due_us"]))
    return toy


def elected(size: int = 5) -> Toy:
    """S3 leads term 1 and its no-op is committed everywhere."""
    toy = Toy(size)
    toy.frame["time_us"] = 153_200
    toy.timeout("S3")
    toy.deliver_all()
    return toy


def split_vote() -> Toy:
    """S2 and S5 ask at the same time."""
    toy = elected()
    toy.frame["time_us"] += 170_000
    toy.crash("S3")
    toy.timeout("S2")
    toy.timeout("S5")
    for name in list(toy.frame["messages"])[:5]:
        if toy.frame["messages"][name]["dst"] != "S3":
            toy.deliver(name)
    return toy


def stale_leader() -> Toy:
    """S3 still believes that it leads, behind a partition, with entries nobody will ever commit."""
    toy = elected()
    toy.propose("S3", "set x 1")
    toy.deliver_all()
    toy.heartbeat("S3")
    toy.deliver_all()
    toy.partition(["S3", "S4"], ["S1", "S2", "S5"])
    toy.propose("S3", "set x 2")
    toy.deliver_all()
    toy.propose("S3", "set y 9")
    toy.deliver_all()
    toy.frame["time_us"] += 190_000
    toy.timeout("S1")
    toy.deliver_all()
    toy.propose("S1", "set x 3")
    return toy


def busy() -> Toy:
    """Forty messages in flight on seven servers, one of them held, and a link cut one way."""
    toy = elected(7)
    toy.cut("S1", "S4")
    for n in range(6):
        toy.propose("S3", f"set x {n}")
    toy.timeout("S7")
    toy.hold(next(iter(toy.frame["messages"])))
    while len(toy.frame["messages"]) > 40:
        toy.drop(list(toy.frame["messages"])[-1])
    return toy


def long_log() -> Toy:
    """More steps than lie between two keyframes; S3 has entries that the new leader has not."""
    toy = elected()
    for n in range(9):
        toy.propose("S3", f"set x {n}")
        toy.deliver_all()
    toy.partition(["S3", "S4"], ["S1", "S2", "S5"])
    for n in range(9):
        toy.propose("S3", f"set lost {n}")
        toy.deliver_all()
    toy.timeout("S1")
    toy.deliver_all()
    toy.propose("S1", "set x 99")
    toy.frame["cuts"] = {}
    toy.record("heal", "", "", "All links are whole again.", code="cluster.heal()")
    return toy


def thousands(count: int = 2000) -> Toy:
    """Many steps of ordinary life: proposals, heartbeats, crashes, a new leader now and then."""
    toy = elected()
    turn = 0
    while len(toy.steps) < count:
        turn += 1
        leaders = [s for s in toy.ids if toy.frame["servers"][s]["role"] == "leader"]
        if not leaders or turn % 19 == 0:
            toy.frame["time_us"] += 200_000
            toy.timeout(
                max(toy.ids, key=lambda s: (toy.frame["servers"][s]["last_index"], -toy.frame["servers"][s]["term"]))
            )
        elif turn % 3 == 0:
            toy.propose(leaders[-1], f"set x {turn}")
        else:
            toy.frame["time_us"] += 50_000
            toy.heartbeat(leaders[-1])
        toy.deliver_all()
    del toy.steps[count:]
    toy.cursor = count - 1
    return toy


def branches() -> Toy:
    """From step 1 on, three different things happened."""
    toy = Toy(3)
    fork = toy.timeout("S1")
    first, second, *_ = list(toy.frame["messages"])
    toy.deliver(first)
    toy.deliver(second)
    toy.goto(fork)
    toy.deliver(second)
    toy.goto(fork)
    toy.crash("S2")
    return toy


def broken() -> Toy:
    """Two leaders in one term, from the step before the last on."""
    toy = elected()
    toy.frame["invariants"]["Election Safety"] = "S1 and S3 both lead term 1."
    toy.record("swap", "S1", "", "S1 takes the crown without a vote.", ["violation"], code="cluster.swap(Mine)")
    toy.crash("S5")
    return toy


# what newer engines know


def joint() -> Toy:
    """S3 leads on the way from S1, S2, S3 to S3, S4, S5; only S4 has stored the configuration so far."""
    toy = elected()
    toy.frame["quorum"] = {"voters": ["S3", "S4", "S5"], "old": ["S1", "S2", "S3"], "learners": []}
    toy.add_entry("S3", "{S1, S2, S3} and {S3, S4, S5}", "configuration")
    toy.frame["servers"]["S3"]["progress"]["S4"] = {"next_index": 3, "match_index": 2}
    toy.record("reconfigure", "S3", "", "S3 begins to change the members.")
    return toy


def joint_candidate() -> Toy:
    """S4 knows of the joint configuration and asks for votes; the leader of its term does not know of it."""
    toy = elected()
    toy.add_entry("S4", "{S1, S2, S3} and {S3, S4, S5}", "configuration")
    toy.frame["servers"]["S4"] |= {"role": "candidate", "votes": {"S1": True, "S4": True, "S5": True}}
    toy.record("deliver", "S4", "", "S4 has votes.")
    return toy


def learner() -> Toy:
    """S4 learns, S5 does not belong to the cluster."""
    toy = elected()
    toy.frame["quorum"] = {"voters": ["S1", "S2", "S3"], "old": [], "learners": ["S4"]}
    toy.add_entry("S3", "{S1, S2, S3}, learners {S4}", "configuration")
    toy.record("reconfigure", "S3", "", "S3 changes the members.")
    return toy


def booted() -> Toy:
    """A sixth server has just started."""
    toy = elected()
    toy.boot("S6")
    return toy


def pre_vote() -> Toy:
    """S2 asks whether it would be elected."""
    toy = elected()
    toy.frame["servers"]["S2"] |= {"role": "precandidate", "votes": {"S2": True}}
    for peer in toy.peers("S2"):
        toy.send("PreVote", "S2", peer, "would you?", "pre-vote? for term 2")
    toy.record("timeout", "S2", "", "S2 asks first.")
    return toy


KINDS = {
    "RequestVote": "vote?",
    "RequestVoteReply": "yes",
    "PreVote": "would you?",
    "PreVoteReply": "yes",
    "AppendEntries": "append 1",
    "AppendEntriesReply": "ok 1",
    "InstallSnapshot": "snapshot 1",
    "InstallSnapshotReply": "ok 1",
    "TimeoutNow": "take over",
}


def kinds() -> Toy:
    """One message of each kind, all from S3."""
    toy = elected()
    for number, (kind, label) in enumerate(KINDS.items()):
        toy.send(kind, "S3", toy.peers("S3")[number % 4], label, label)
    toy.record("deliver", "S3", "", "S3 says everything that can be said.")
    return toy


def compacted() -> Toy:
    """S1 has compacted three entries and waits for its disk; two reads are under way at S3, the leader."""
    toy = elected()
    for n in range(1, 4):
        toy.propose("S3", f"set x {n}")
        toy.deliver_all()
    toy.propose("S3", "set x 4")
    toy.deliver_all(but=("S2", "S4", "S5"))
    me = toy.frame["servers"]["S1"]
    me["log"] = {index: entry for index, entry in me["log"].items() if int(index) > 3}
    snapshot = {"index": 3, "term": 1, "configuration": "{S1, S2, S3, S4, S5}"}
    me |= {"first_index": 4, "durable_index": 4, "waiting": 2, "snapshot": snapshot}
    toy.frame["servers"]["S3"]["reads"] = {"r1": 1, "r2": 1}
    toy.more_verbs = {
        "silence": "S1 does not hold on to a leader.",
        "check_quorum": "S1 does not lead.",
        "compact": "S1 has applied nothing since its last snapshot.",
        "write_disk": "",
        "read": "",
    }
    toy.record("compact", "S1", "", "S1 compacts its log.")
    return toy


def ballots() -> Toy:
    """S3 asks: S1 has said yes, S2 no; the answer of S4 is under way; S5 has not got the question yet."""
    toy = Toy(5)
    toy.timeout("S3")
    toy.frame["servers"]["S2"] |= {"term": 1, "voted_for": "S2"}
    of = {m["dst"]: name for name, m in toy.frame["messages"].items()}
    for peer in ("S1", "S2", "S4"):
        toy.deliver(of[peer])
    for peer in ("S1", "S2"):
        toy.deliver(next(name for name, m in toy.frame["messages"].items() if m["src"] == peer))
    return toy


def at_the_wall() -> Toy:
    """S3 has sent to both sides of a wall; what it sent to S1 has just been lost there, and the rest is overdue."""
    toy = elected()
    toy.partition(["S3", "S4"], ["S1", "S2", "S5"])
    toy.propose("S3", "set x 1")
    toy.frame["time_us"] += 15_000
    toy.drop(next(name for name, m in toy.frame["messages"].items() if m["dst"] == "S1"))
    return toy
