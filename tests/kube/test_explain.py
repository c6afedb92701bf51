"""A record in words: the annotation that the talk shows, today's Lease, and what is none."""

import pytest

from raft_lab.kube.explain import explain
from raft_lab.kube.records import ANNOTATION, BadRecord, LeaderElectionRecord, spec_of

OF_THE_TALK = (
    '{"holderIdentity":"mboye-leader-election-demo-5d4b8c9f7-x2x4z","leaseDurationSeconds":10,'
    '"acquireTime":"2019-02-27T17:02:11Z","renewTime":"2019-02-27T17:31:46Z","leaderTransitions":0}'
)


def words(explanation):
    return {name: (value, text) for name, value, text in explanation.rows}


def test_the_annotation_of_the_talk_field_by_field():
    told = words(explain(OF_THE_TALK))
    assert list(told) == ["holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime", "leaderTransitions"]
    assert told["holderIdentity"] == (
        '"mboye-leader-election-demo-5d4b8c9f7-x2x4z"',
        "who leads: by custom the name of its pod",
    )
    assert "change for 10 s" in told["leaseDurationSeconds"][1]
    assert "1775.0 s after it began to lead" in told["renewTime"][1]
    assert "from it 0 says nothing" in told["leaderTransitions"][1]


def test_an_endpoints_object_is_explained_by_its_annotation_and_its_version():
    thing = {"kind": "Endpoints", "metadata": {"annotations": {ANNOTATION: OF_THE_TALK}, "resourceVersion": "17"}}
    explanation = explain(thing)
    assert explanation.record == explain(OF_THE_TALK).record
    assert words(explanation)["resourceVersion"][0] == '"17"'


def test_todays_lease_calls_the_count_by_another_name_and_says_when_it_was_given_back():
    spec = spec_of(LeaderElectionRecord("", 1, 0, 0, 3))
    told = words(explain({"kind": "Lease", "metadata": {}, "spec": spec}))
    assert told["leaseTransitions"] == ("3", "how often the lease went from one holder to another")
    assert told["holderIdentity"][1].startswith("nobody leads")


def test_it_is_read_as_text_and_as_a_table():
    assert str(explain(OF_THE_TALK)).splitlines()[1].startswith("leaseDurationSeconds  10  ")
    assert explain('{"holderIdentity":"<b>"}')._repr_html_().count("&lt;b&gt;") == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("leader", "not JSON"),
        ("[1]", "holds no record"),
        ({"metadata": {}}, "nobody has led yet"),
        ({}, "nobody has led yet"),
        (7, "takes an annotation or an object"),
        ({"spec": {"leaseDurationSeconds": "15"}}, "must be a whole number"),
    ],
)
def test_what_is_no_record_is_refused_in_a_sentence(given, why):
    with pytest.raises(BadRecord, match=why):
        explain(given)
