"""What a cluster holds, as pandas DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raft_lab.raft.state import Accepted
from raft_lab.sim.actions import Propose
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.narrator import message_text
from raft_lab.view.answers import content_by_key

if TYPE_CHECKING:
    import pandas as pd


def commit_times(cluster: Cluster) -> list[tuple[int, int, str, int, int | None]]:
    """For each command accepted on this branch: index, term, words, when it came and when it was first committed."""
    found = []
    path = cluster.history
    for number, step in enumerate(path):
        reply = step.transition.reply
        if not isinstance(step.action, Propose) or not isinstance(reply, Accepted):
            continue
        known = (later for later in path[number:] if later.world.ghosts.committed.last_index >= reply.index)
        done = next((s for s in known if s.world.ghosts.committed.term(reply.index) == reply.term), None)
        came = step.schedule.now_us
        found.append((reply.index, reply.term, step.action.op, came, done.schedule.now_us if done else None))
    return found


class Tables:
    """`cluster.tables`: each attribute is a DataFrame of the situation that the cluster is in now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def servers(self) -> pd.DataFrame:
        """One row a server: role, term, vote, leader it knows, indexes of its log."""
        import pandas as pd

        world = self._cluster.world
        rows = [
            {
                "server": s.id,
                "role": "crashed" if s.id in world.crashed else type(s.role).__name__.lower(),
                "current_term": s.current_term,
                "voted_for": s.voted_for or "",
                "leader_id": s.leader_id or "",
                "last_log_index": s.log.last_index,
                "last_log_term": s.log.last_term,
                "commit_index": s.commit_index,
                "last_applied": s.last_applied,
            }
            for s in world.servers.values()
        ]
        return pd.DataFrame(rows).set_index("server")

    @property
    def logs(self) -> pd.DataFrame:
        """One row a log entry: where it stands, its term, what it holds, whether its server knows it committed."""
        import pandas as pd

        rows = [
            (s.id, index, entry.term, str(entry.value), index <= s.commit_index)
            for s in self._cluster.world.servers.values()
            for index, entry in s.log
        ]
        return pd.DataFrame(rows, columns=["server", "index", "term", "value", "committed"])

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a server and one column an index: the logs side by side, committed entries with a check mark."""
        import pandas as pd

        rows = {}
        for s in self._cluster.world.servers.values():
            end = s.log.snapshot.last_included_index
            row = {end: f"snapshot {end} (term {s.log.snapshot.last_included_term})"} if end else {}
            row |= {index: f"{entry}{' ✓' if index <= s.commit_index else ''}" for index, entry in s.log}
            rows[s.id] = row
        columns = sorted({index for row in rows.values() for index in row})
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns or None).fillna("")

    @property
    def snapshots(self) -> pd.DataFrame:
        """One row a server: where its log begins, and what stands in place of what came before."""
        import pandas as pd

        rows = [
            {
                "server": s.id,
                "last_included_index": s.log.snapshot.last_included_index,
                "last_included_term": s.log.snapshot.last_included_term,
                "configuration": str(s.log.snapshot.configuration),
                "machine": ", ".join(
                    f"{key} = {value}" for key, value in content_by_key(s.log.snapshot.machine.data).items()
                ),
                "sessions": ", ".join(sorted(s.log.snapshot.machine.sessions)),
                "entries_left": len(s.log),
            }
            for s in self._cluster.world.servers.values()
        ]
        return pd.DataFrame(rows).set_index("server")

    @property
    def messages(self) -> pd.DataFrame:
        """One row a message in flight; times in microseconds."""
        import pandas as pd

        rows = [
            (type(f.message).__name__, f.message.src, f.message.dst, f.message.term, message_text(f.message),
             f.sent_us, f.due_us, f.held)
            for f in self._cluster.schedule.flights
        ]  # fmt: skip
        columns = ["kind", "src", "dst", "term", "text", "sent_us", "due_us", "held"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def agenda(self) -> pd.DataFrame:
        """One row an action that one can ask for now: the code that does it, and why it is not possible, if so."""
        import pandas as pd

        rows = [(a.verb, a.actor, str(a), not why, why) for a, why in self._cluster.every_action()]
        return pd.DataFrame(rows, columns=["action", "server", "code", "possible", "reason"])

    @property
    def branches(self) -> pd.DataFrame:
        """One row a branch of history: its last step, how long it is, and whether one stands on it."""
        import pandas as pd

        here = self._cluster.now
        rows = [
            (step.id, len(step.path()) - 1, step.schedule.now_us, str(step.sentence), here in step.path())
            for step in self._cluster.branches
        ]
        return pd.DataFrame(rows, columns=["last_step", "steps", "time_us", "sentence", "here"]).set_index("last_step")

    @property
    def violations(self) -> pd.DataFrame:
        """One row an invariant that was broken on the way to the present step: where, which, and why."""
        import pandas as pd

        rows = [(step.id, broken.invariant, broken.reason) for step, broken in self._cluster.violations]
        return pd.DataFrame(rows, columns=["step", "invariant", "reason"]).set_index("step")

    @property
    def commits(self) -> pd.DataFrame:
        """One row a command that was accepted on this branch: where it stands, when it came, when it was committed."""
        import pandas as pd

        columns = ["index", "term", "command", "proposed_us", "committed_us"]
        return pd.DataFrame(commit_times(self._cluster), columns=columns).set_index("index")

    @property
    def events(self) -> pd.DataFrame:
        """One row a step from the beginning to now: when, what, where, and the sentence that tells it."""
        import pandas as pd

        rows = [
            (step.id, step.schedule.now_us, step.action.verb if step.action else "start",
             step.action.actor if step.action else "", step.sentence.text, step.sentence.section)
            for step in self._cluster.history
        ]  # fmt: skip
        columns = ["step", "time_us", "action", "server", "sentence", "section"]
        return pd.DataFrame(rows, columns=columns).set_index("step")
