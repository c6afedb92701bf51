"""What a student reads: the case by its name, the student's own line, and the rule."""

import sys
from pathlib import Path

from raft_lab.course.graded import GRADED

sys.path.insert(0, str(Path(__file__).parent))
from wrong import WRONG

import lessons


def verdict(name: str, written: str):
    return GRADED[name].exercise.check(lessons.handed_in(GRADED[name], written))


def test_a_draft_that_fails_at_a_key_that_is_not_there_first_fails_at_its_revisions():
    said = verdict("revisions", lessons.source(GRADED["revisions"])).summary
    assert said.startswith("After put a 1 and put b 1: the store is at revision 2, yours at 3.")


def test_a_leader_that_commits_backwards_is_told_its_own_line_and_the_rule():
    found = verdict("commit-rule", WRONG["commit-rule"]["may go back (26)"])
    assert found.layer == "small situations"
    assert "snapshot 1 (term 1)" in found.difference.situation
    assert "(line 10 of advance_commit_index" in found.difference.found
    assert "_upto" not in str(found)
    assert "commits only forward: N > commitIndex" in found.difference.rule


def test_a_configuration_that_is_never_left_comes_with_the_reason():
    said = verdict("leave-joint", WRONG["leave-joint"]["only at that very entry"]).summary
    assert said.startswith("With your handler, after a change of leaders, the joint configuration is never left: ")


def test_forgotten_learners_are_named():
    found = verdict("leave-joint", WRONG["leave-joint"]["forgets the learners"]).difference
    assert (found.expected, found.found) == (
        "Afterwards its entry 3 is {S1, S2}, learners {S4} (term 1);",
        "yours is {S1, S2} (term 1).",
    )


def test_a_command_that_was_sent_again_is_called_so():
    said = verdict("sessions", WRONG["sessions"]["applies twice (51)"]).summary
    assert "S1 answered entry 4 with '11'; it is the command of entry 3 once more, which gave '1'." in said


def test_of_a_read_that_nobody_was_asked_for_it_is_not_said_that_the_leader_is_its_own_quorum():
    run = verdict("answer-reads", WRONG["answer-reads"]["at once (53)"]).counterexample
    assert "S1 answers a read at once, and has asked nobody whether it still leads." in " ".join(run.sentences())


def test_what_is_lost_in_a_crash_is_told_in_words():
    found = verdict("persist", WRONG["persist"]["the role"]).difference
    assert found.found == "with yours it is a pre-candidate with the assent of S1."


def test_a_vote_that_came_late_is_told_with_the_rule_about_old_terms():
    found = verdict("tally", lessons.source(GRADED["tally"])).difference
    assert found.situation.endswith("S3 grants its vote in term 1.")
    assert found.rule == "A request of an old term is refused, an answer of an old term is ignored (§5.1)."


def test_a_case_that_is_not_in_the_run_below_is_not_taken_for_one():
    found = verdict("compact", lessons.source(GRADED["compact"]))
    assert "S1 has lastApplied 2" in found.summary
    assert found.difference.situation.startswith("The smallest case: S1 is a follower in term 2, its log is [1].")


def test_who_is_elected_by_one_half_is_told_that_it_takes_both():
    found = verdict("has-quorum", lessons.source(GRADED["has-quorum"])).difference
    assert found.rule == "In a joint configuration it takes a majority of each half (§6)."


def test_a_reply_that_is_not_the_first_one_is_told_with_the_rule_about_replies():
    found = verdict("sessions", "\nif command.seq <= known.seq:\n    return None\n").difference
    assert (found.expected, found.found) == ("The client gets '1' for entry 4;", "with yours it gets None for entry 4.")
    assert found.rule == "Each command is answered once it is applied; one that comes again, with its first reply (§8)."


def test_a_read_that_is_answered_too_early_is_told_with_the_rule_about_reads():
    found = verdict("answer-reads", lessons.source(GRADED["answer-reads"])).difference
    assert found.rule.startswith("A strong read waits for a commit in the leader's term and a heartbeat round")
