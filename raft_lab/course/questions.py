"""The prediction questions of the lessons, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raft_lab.view.quiz import Quiz

# name: (question, [(answer, whether it is right, what to say to who chose it)])
_QUESTIONS: dict[str, tuple[str, list[tuple[str, bool, str]]]] = {
    "01-first": (
        "S5's election timer has run out, and it asks the others for their votes. "
        "How many of the five must vote for it, itself included, before it may lead?",
        [
            ("All 5", False, "Then one crashed server would stop everything. Raft must work while a few are down."),
            (
                "At least 3",
                True,
                "A majority. Two majorities of the same five always share a server, and that server votes only once "
                "a term: so two candidates can never both win the same term.",
            ),
            ("At least 2", False, "Then two pairs of servers could each elect a leader of the same term."),
            ("Only itself", False, "Then everyone could lead. Agreement needs a majority."),
        ],
    ),
    "01-terms": (
        "The leader of term 1 crashes. Some time later another server leads. Of which term?",
        [
            (
                "Term 1 again: the job passes on",
                False,
                "Each term has at most one leader, for ever. A new leader, a new term.",
            ),
            (
                "Term 2, or later",
                True,
                "Whoever starts an election adds one to its term. If that election fails, the next one adds another.",
            ),
            ("It depends on the server's name", False, "Names do not matter. Terms count elections."),
        ],
    ),
    "01-cut": (
        "The leader S1 is cut off together with S2. The other three can talk to each other. After a while …",
        [
            (
                "… S1 notices and steps down at once",
                False,
                "Nothing tells S1. It sends heartbeats into the void and goes on believing. (Later: check-quorum.)",
            ),
            (
                "… two servers believe that they lead, in different terms",
                True,
                "S1 still leads term 1, and one of the three has won term 2 or later. But S1 reaches only two of five, "
                "so it can commit nothing.",
            ),
            (
                "… nobody leads until the network heals",
                False,
                "Three of five are a majority. They can elect a leader, and they do.",
            ),
        ],
    ),
    "01-heal": (
        "Now the network heals, and the old leader S1 hears from the others again. What does S1 do?",
        [
            (
                "It becomes a follower as soon as it sees the higher term",
                True,
                "A higher term in any message, request or answer, ends a leadership (§5.1). No negotiation is needed.",
            ),
            (
                "It wins, because it was leader first",
                False,
                "Being first counts for nothing. The higher term is the newer truth.",
            ),
            (
                "The two leaders hold an election between them",
                False,
                "The newer one was elected by a majority already.",
            ),
        ],
    ),
    "01-split": (
        "Four servers. S1 and S2 have both started an election for term 1. S3 votes for S1, and S4 for S2. "
        "Who leads term 1?",
        [
            ("S1: the lower name wins a tie", False, "There is no such rule. Two votes of four are not a majority."),
            ("Both, each with its half", False, "That is what terms and majorities forbid."),
            (
                "Nobody, ever",
                True,
                "Everyone has spent the vote of term 1. Someone's timer must run out again, and the next election is "
                "of term 2. Random timeouts make it unlikely that both run out together again.",
            ),
        ],
    ),
    "01-spread": (
        "Suppose that all five servers wait exactly 150 ms before they start an election. "
        "How often does somebody win within two seconds?",
        [
            (
                "Always: one of them is a little faster",
                False,
                "In one process, perhaps. Here all timers run out at the same moment, again and again.",
            ),
            (
                "About half of the time",
                False,
                "There is nothing that would make one of them first: the next attempt is as even as the one before.",
            ),
            (
                "Never",
                True,
                "All become candidates together, and each has spent its vote on itself. Their next timers run out "
                "together, too.",
            ),
        ],
    ),
    "01-criteria": (
        "S1 and S2 hold Commands 1 to 3, the last one of term 2. S3 holds only Command 1, of term 1. "
        "If an election starts now, who can win it?",
        [
            (
                "Any of the three: they all know term 2",
                False,
                "Knowing the term is not enough. S1 and S2 compare logs before they vote.",
            ),
            (
                "Only S1 or S2",
                True,
                "S3 votes for either of them; they vote for each other, since their logs are equal; but neither votes "
                "for S3, whose last entry is of an older term. S3 has only its own vote.",
            ),
            (
                "Only S3: the others have voted in term 2",
                False,
                "Votes are spent per term. The next election is of term 3, in which all votes are fresh.",
            ),
        ],
    ),
    "01-up-to-date": (
        "A candidate's log ends with entry 5 of term 1. The voter's ends with entry 2 of term 2. "
        "Which is more up-to-date?",
        [
            (
                "The candidate's: it is longer",
                False,
                "Length decides only between equal last terms. A leader of term 2 has been elected since, so "
                "whatever of those five entries its log lacked had not been committed.",
            ),
            ("The voter's: its last term is later", True, "The later last term wins, however short the log (§5.4.1)."),
            ("They are equal", False, "They would be with the same last term and the same length."),
        ],
    ),
}


def ask(name: str) -> Quiz:
    """The question of that name, ready to be answered.

    Raises:
        ValueError: there is none.
    """
    from raft_lab.view.quiz import Option, Question, Quiz

    if name not in _QUESTIONS:
        raise ValueError(f"there is no question {name!r}; there are {', '.join(_QUESTIONS)}")
    text, options = _QUESTIONS[name]
    return Quiz(Question(text, tuple(Option(*option) for option in options)))
