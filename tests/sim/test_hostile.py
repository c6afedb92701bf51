"""What comes from a stranger, or from the wrong place: odd names, odd commands, odd share strings, odd files."""

import os
import stat

import pytest

from raft_lab import ActionRefused, Cluster, History, HistoryError, TraceError

ODD_NAMES = {
    "blank": " ",
    "a line break": "S\n1",
    "right to left override": "\u202eS1",
    "half a character": "\ud800",
    "a space behind": "S1 ",
    "very long": "S" * 41,
}


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_a_name_that_nobody_could_read_is_refused(name):
    with pytest.raises(ValueError, match="a server's name is at most 40 printable characters"):
        Cluster([name, "S2", "S3"])
    with pytest.raises(ActionRefused, match="a server's name is at most 40 printable characters"):
        Cluster(3).boot(name)


def test_names_are_counted_like_numbers():
    with pytest.raises(ValueError, match="1 to 25 servers, not 30000"):
        Cluster([f"S{number}" for number in range(30_000)])
    cluster = Cluster(25)
    with pytest.raises(ActionRefused, match="at most 25 servers"):
        cluster.boot("S26")


ODD_COMMANDS = {
    "nothing": "",
    "lines": "set x\n1\r\n",
    "quotes": "set \"x\" '1' \\ ` ${x}",
    "another direction": "set \u202ex שלום 1",
    "markup": "<script>alert(1)</script>",
    "the marks of a share string": "a;b:c,d=e|f%3B+g#h>i~j",
    "what looks like a value": '{"is":"Command"}',
    "what looks like half a value": '{"is":[',
    "a zero byte": "a\0b",
}


@pytest.mark.parametrize("command", ODD_COMMANDS.values(), ids=ODD_COMMANDS)
def test_any_command_comes_back_from_code_line_and_file(command, tmp_path):
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.propose(command)
    cluster.deliver_all()
    names = {"Cluster": Cluster}
    exec(cluster.code(), names)
    cluster.save(tmp_path / "run.json")
    for again in (names["cluster"], Cluster.from_share(cluster.share()), Cluster.load(tmp_path / "run.json")):
        assert again.world == cluster.world


ODD_LINES = {
    "thousands of servers": (f"raft-lab:1;{','.join(f'a{n}' for n in range(5000))}", "1 to 25 servers"),
    "a number of 5000 digits": (f"raft-lab:1;3;step:{'9' * 5000}", "4300 digits"),
    "a wait of ages": (f"raft-lab:1;3;wait:{'9' * 20}", "some thirty years"),
    "a stall of ages": (f"raft-lab:1;3;stall:{'9' * 20}", "some thirty years"),
    "a wait of more than ages": (f"raft-lab:1;3;wait:{'9' * 400}", "a whole number should stand where '9999"),
    "a wait in letters": (
        "raft-lab:1;3;wait:long",
        "its action 1, 'wait:long': a whole number should stand",
    ),
    "nested without end": (f"raft-lab:1;3;propose:S1:%7B%22is%22%3A{'%5B' * 100_000}", "recursion"),
    "a value that is none": ("raft-lab:1;3;propose:S1:%7B%22is%22%3A%22Server%22%7D", "where a value should stand"),
    "neither yes nor no": ("raft-lab:1;3;reconfigure:S1:S1,S2:S3:maybe", "yes or no should stand where 'maybe' is"),
    "a log without terms": ("raft-lab:1;3;logs=S1:x", "a log is written S1:1.set+x+1"),
    "a swap of nothing": ("raft-lab:1;3;swap:x", "should say which rules are switched"),
    "code for a class": ('raft-lab:1;3;server=__import__("os").abort()', "give that class"),
}


@pytest.mark.parametrize(("line", "why"), ODD_LINES.values(), ids=ODD_LINES)
def test_an_odd_share_string_is_refused_in_a_short_sentence(line, why):
    with pytest.raises(TraceError) as caught:
        Cluster.from_share(line)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 600


def test_what_is_no_class_of_servers_cannot_do_a_run_again(tmp_path):
    Cluster(3).save(tmp_path / "run.json")
    with pytest.raises(ValueError, match="by subclasses of Server, not by 3"):
        Cluster.load(tmp_path / "run.json", 3)
    with pytest.raises(ValueError, match="by subclasses of Server, not by 3"):
        Cluster.from_share("raft-lab:1;3", 3)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_saving_keeps_links_and_touches_nothing_but_files(tmp_path):
    run, link, pipe = tmp_path / "run.json", tmp_path / "link.json", tmp_path / "pipe"
    run.touch(0o600)
    link.symlink_to(run)
    os.mkfifo(pipe)
    Cluster(3).save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(run.stat().st_mode) == 0o600
    with pytest.raises(TraceError, match="something that may not be replaced"):
        Cluster(3).save(pipe)
    with pytest.raises(TraceError, match="it is a folder"):
        Cluster(3).save(tmp_path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "pipe", "run.json"]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_reading_waits_for_no_pipe_and_follows_no_circle(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    for name, why in {
        "pipe": "no ordinary file",
        "circle": "symbolic links",
        "binary": "not text in UTF-8",
        ".": "folder",
    }.items():
        with pytest.raises(TraceError, match=why):
            Cluster.load(tmp_path / name)
        with pytest.raises(HistoryError, match=why):
            History.load(tmp_path / name)
