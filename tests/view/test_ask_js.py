"""A lab asks what will happen, and the run itself says who was right: in a browser, with runs of real clusters."""

from __future__ import annotations

from typing import Any

import pytest

from raft_lab import ActionRefused, Cluster
from raft_lab.sim import stages
from raft_lab.view.ask import COMMIT, OVERWRITTEN, WINNER, asked
from raft_lab.view.frames import Recording
from view.lab_page import DARK, LIGHT, LabPage


class Recorded:
    """A run of a real cluster, in the place of a toy's."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def tape(self, cursor: int | None = None) -> dict[str, Any]:
        return {"steps": Recording(self.cluster).steps(), "cursor": cursor or 0, "title": "", "modified": ""}


def show(lab: LabPage, cluster: Cluster, question: str, css: str = LIGHT) -> LabPage:
    """The lab as in a saved notebook, at the step where the question is asked; what follows is on the tape."""
    here = cluster.now
    ask = asked(cluster, question)
    yield_to_the_future(cluster, question)
    cluster.goto(here)
    return lab.show(Recorded(cluster), options={"ask": ask}, css=css)  # type: ignore[arg-type]


def yield_to_the_future(cluster: Cluster, question: str) -> None:
    """What happens after the question was asked."""
    if question == WINNER:
        cluster.run_until(leader=True)
    else:
        cluster.deliver_all()


def verdict(lab: LabPage) -> str:
    return lab.text(".rl-ask-verdict")


def test_a_server_that_was_clicked_is_the_answer_and_the_run_judges(lab: LabPage) -> None:
    cluster = Cluster(5, seed=4)
    show(lab, cluster, WINNER)
    winner = max(cluster.tape.steps, key=lambda step: step.id).world
    leader = next(name for name, state in winner.servers.items() if state.is_leader)

    lab.server(leader).click()
    assert verdict(lab) == "Now let it run, and see."
    assert lab.page.locator(".rl-menu").is_hidden()

    lab.button("End").click()
    assert verdict(lab) == f"✓ Right. {leader} leads term 1."


def test_another_server_was_not_it(lab: LabPage) -> None:
    cluster = Cluster(5, seed=4)
    show(lab, cluster, WINNER)
    leaders = {n for step in cluster.tape for n, s in step.world.servers.items() if s.is_leader}
    other = next(name for name in cluster.servers if name not in leaders)

    lab.page.locator(".rl-ask").get_by_role("button", name=other).press("Enter")
    lab.button("End").click()

    assert verdict(lab) == f"✗ Not this time. {leaders.pop()} leads term 1."


def test_once_answered_a_server_opens_its_menu_again(lab: LabPage) -> None:
    show(lab, Cluster(5, seed=4), WINNER)
    lab.server("S2").click()

    lab.server("S2").click()

    assert lab.page.locator(".rl-menu").is_visible()


@pytest.mark.parametrize(("answer", "said"), [("Yes", "✗ Not this time."), ("No", "✓ Right.")])
def test_a_command_that_is_overwritten_is_not_committed(lab: LabPage, answer: str, said: str) -> None:
    cluster = stages.led(3)
    cluster.partition({"S1"})
    cluster.propose("set x 9", "S1")
    ask, here = asked(cluster, COMMIT), cluster.now
    cluster.timeout("S2")
    cluster.deliver_all()
    lab.show(Recorded(cluster), cursor=here.id, options={"ask": ask})  # type: ignore[arg-type]

    lab.button(answer).click()
    lab.button("End").click()

    assert verdict(lab).startswith(f"{said} Entry 2 is another one now, “no-op” of term 2")


def test_entries_are_chosen_in_the_ledger(lab: LabPage) -> None:
    show(lab, stages.log_conflict(), OVERWRITTEN)
    ledger = lab.page.locator(".rl-ledger-row[data-about='S2'] .rl-cell")

    assert ledger.get_by_text("≠").first.is_hidden()  # that would be the answer
    ledger.nth(1).click()
    ledger.nth(2).click()
    lab.button("That is all").click()
    assert ledger.get_by_text("≠").first.is_visible()
    lab.button("End").click()

    assert verdict(lab) == "✓ Right. Gone are: S2’s entry 2, S2’s entry 3."


def test_one_of_two_entries_is_not_all(lab: LabPage) -> None:
    show(lab, stages.log_conflict(), OVERWRITTEN, css=DARK)
    lab.button("S2: 3 (Command 3)").click()
    lab.button("That is all").click()
    lab.button("End").click()

    assert verdict(lab).startswith("✗ Not this time. Gone are: S2’s entry 2, S2’s entry 3.")


def test_who_looks_ahead_first_is_told_to_go_back(lab: LabPage) -> None:
    show(lab, stages.log_conflict(), OVERWRITTEN)
    lab.button("End").click()
    assert verdict(lab).endswith("Go back and predict it.")

    lab.button("Start").click()
    assert lab.page.locator(".rl-ask-verdict").is_hidden() or verdict(lab) == ""


def test_a_lab_asks_from_python_and_says_what_it_cannot_ask() -> None:
    cluster = stages.led()
    with pytest.raises(ActionRefused, match="entry 1 is committed already"):
        cluster.lab(ask=COMMIT)
    with pytest.raises(ValueError, match="it can ask 'which server wins\\?'"):
        cluster.lab(ask="who?")

    lab = cluster.lab(ask=WINNER)
    cluster.propose("set x 1")
    lab.ask(COMMIT)

    assert lab.options["ask"] == {
        "kind": "commit",
        "at": 1,
        "index": 2,
        "term": 1,
        "text": "Will set x 1 (term 1), entry 2, be committed?",
    }
