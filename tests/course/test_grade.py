"""A class is graded: wherever it is done, however often, and though it is killed half way, to the same bytes."""

import argparse
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path
from subprocess import PIPE

import pytest

from raft_lab import RaftLabError
from raft_lab.cli import main
from raft_lab.course import grade_command
from raft_lab.course.grade import grade
from raft_lab.course.marking import NOT_THE_SAME_VALUE
from raft_lab.course.reports import class_page, student_page, write_gradescope, write_reports
from raft_lab.course.results import Mark, Result, Results
from raft_lab.course.sandbox import JUDGES

sys.path.insert(0, str(Path(__file__).parent))
from handed_in import RIGHT, cell, hand_in, notebook

pytestmark = pytest.mark.skipif(os.name != "posix", reason="answers are graded on Linux or macOS")

ONE_POT = """
class Mine(HAS_QUORUM.base):
    def has_quorum(self, servers):
        everyone = self.configuration.voters | self.configuration.old
        return len(everyone & set(servers)) > len(everyone) / 2
"""
LOSES_COUNTS = """
def increment(key):
    found = yield Range(key)
    yield Put(key, str(int(found.kvs[0].value) + 1 if found.kvs else 1))
"""
THESE = ("has-quorum", "increment")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """Four students: one right, one wrong, one who ends the process, one whose notebook was cut short."""
    folder = tmp_path_factory.mktemp("class") / "submissions"
    hand_in(folder, "alice", {name: RIGHT[name] for name in THESE})
    hand_in(folder, "bob", {"has-quorum": ONE_POT, "increment": LOSES_COUNTS})
    hand_in(folder, "carol", {"has-quorum": ONE_POT.replace("everyone =", "__import__('os')._exit(1); everyone =")})
    hand_in(folder, "dave", {"increment": RIGHT["increment"]})
    broken = folder / "dave" / "04-membership-changes.ipynb"
    broken.write_text('{"cells": [')
    return folder


@pytest.fixture(scope="module")
def graded(handed_in):
    return grade(handed_in, exercises=THESE, progress=False)


def test_everybody_gets_their_marks(graded):
    points = {result.student: [mark.points for mark in result.marks] for result in graded.results}
    assert points == {"alice": [5, 5], "bob": [0, 0], "carol": [0, 0], "dave": [0, 5]}
    alice, bob, carol, dave = (result.marks[0] for result in graded.results)
    assert "evidence, not proof" in alice.looked
    assert bob.property == "Election Safety"
    assert "ended the process" in carol.summary
    assert graded.results[3].unread == (
        "04-membership-changes.ipynb could not be read: it is not whole JSON (line 1); was the upload cut short?",
    )
    assert dave.summary == graded.results[3].unread[0]


def test_the_table_of_points_has_a_line_for_each_student(graded):
    rows = list(csv.DictReader(io.StringIO(graded.csv())))
    assert [row["student"] for row in rows] == ["alice", "bob", "carol", "dave"]
    assert rows[0] == {
        "student": "alice", "has-quorum": "5", "increment": "5", "points": "10", "max_points": "10", "total": "100.0%",
        "unread": "",
    }  # fmt: skip
    assert rows[3]["total"] == "50.0%"
    assert rows[3]["unread"] == graded.results[3].unread[0]


def test_the_table_of_failures_says_who_failed_which_property(graded):
    rows = list(csv.reader(io.StringIO(graded.table())))
    assert ["has-quorum", "What a quorum is", "Election Safety", "small situations", "1", "bob"] in rows
    assert any(row[0] == "increment" and row[5] == "bob" for row in rows)
    assert rows[1][0] == "notebook"  # first what no exercise is to blame for
    assert rows[1][2] == graded.results[3].unread[0]
    assert rows[1][5] == "dave"
    assert not any("dave" in row[5] for row in rows[2:])  # told once


def test_gradescope_gets_a_test_for_each_exercise(graded, tmp_path):
    write_gradescope(graded, tmp_path / "out")
    bob = json.loads((tmp_path / "out" / "bob" / "results.json").read_text())
    assert bob["score"] == 0
    assert [(test["name"], test["score"], test["max_score"], test["status"]) for test in bob["tests"]] == [
        ("What a quorum is (has-quorum)", 0, 5, "failed"),
        ("A counter that loses no count (increment)", 0, 5, "failed"),
    ]
    assert "Election Safety is broken" in bob["tests"][0]["output"]
    assert all(0 <= test["score"] <= test["max_score"] for test in bob["tests"])


def test_a_result_that_is_read_back_is_the_same(graded, tmp_path):
    for result in graded.results:
        path = result.save(tmp_path / "x.json")
        assert Result.load(path).text() == result.text()


def test_what_is_no_result_is_refused(tmp_path):
    for text in ("", "{}", "[]", '{"format": "raft_lab grades", "version": 1, "marks": 7}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(RaftLabError, match=r"holds no grades"):
            Result.load(tmp_path / "x.json")


def test_a_report_names_the_property_the_rule_and_the_run_and_plays_it(graded, tmp_path):
    write_reports(graded, tmp_path / "reports")
    page = (tmp_path / "reports" / "bob.html").read_text()
    assert "Election Safety is broken" in page
    assert "A run that shows it:" in page
    assert 'data-run="0"' in page
    assert "const instrument" in page
    index = (tmp_path / "reports" / "index.html").read_text()
    assert 'href="bob.html"' in index
    assert "const instrument" not in index  # nothing is played there


def test_names_with_blanks_in_them_stay_apart():
    mark = Mark("has-quorum", 0, 5, False, "It is wrong.")
    results = Results(tuple(Result(name, "key", (mark,)) for name in ("Alice Smith", "Bob Jones")))
    assert list(csv.reader(io.StringIO(results.table())))[1][-1] == "Alice Smith, Bob Jones"


def test_of_many_students_who_failed_alike_the_page_of_the_class_folds_the_names():
    def page(count):
        mark = Mark("has-quorum", 0, 5, False, "It is wrong.")
        return class_page(Results(tuple(Result(f"s{n}", "key", (mark,)) for n in range(count))), {})

    assert "<td class='who'>s0, s1, s2, s3, s4</td>" in page(5)
    assert "<summary>s0 and 5 more</summary>s0, s1, s2, s3, s4, s5</details>" in page(6)


def test_what_a_student_wrote_is_text_in_a_report():
    nasty = "<script>alert(1)</script>"
    mark = Mark("has-quorum", 0, 5, False, nasty, rule=nasty, situation=nasty, steps=(nasty,), note=nasty)
    result = Result(nasty, "key", (mark,), (nasty,))
    assert "<script>alert" not in student_page(result)
    assert "<script>alert" not in class_page(Results((result,)), {nasty: nasty})


def test_a_reason_is_told_to_its_end_and_whatever_does_not_end_has_one_name(tmp_path):
    long = "this is a very long sentence: " * 8 + "its end"
    results = Results((Result("alice", "key", (Mark("has-quorum", 0, 5, False, long),)),))
    assert "its end" in results.table()
    hand_in(tmp_path, "alice", {"has-quorum": ONE_POT.replace("everyone =", "while True: pass\n        everyone =")})
    hand_in(tmp_path, "bob", {"has-quorum": ONE_POT.replace("everyone =", "self.has_quorum(servers); everyone =")})
    failures = grade(tmp_path, exercises=["has-quorum"], progress=False).failures()
    assert [(reason, count) for _, reason, _, count in failures] == [("Comes to an End", 2)]


def test_a_function_is_asked_again_in_another_process(tmp_path):
    told = [sys.executable, "-c", "print(hash('a'))"]  # as it is in the process that judges
    mood = subprocess.run(told, capture_output=True, text=True, env={"PYTHONHASHSEED": str(JUDGES)}).stdout.strip()
    moody = f"""
def may_write(seen, token):
    if hash("a") != {mood}:
        return False, seen
    highest = max(seen or 0, token)
    return token >= highest, highest
"""
    for student, source in (("calm", moody.replace("if hash", "if False and hash")), ("moody", moody)):
        (tmp_path / student).mkdir()
        cells = [cell("l7-fence-answer", source)]
        (tmp_path / student / "07-kubernetes.ipynb").write_text(notebook(cells))
    calm, moody = (result.marks[0] for result in grade(tmp_path, exercises=["may-write"], progress=False).results)
    assert calm.passed, calm
    assert not moody.passed
    assert moody.summary == NOT_THE_SAME_VALUE


@pytest.mark.parametrize("draft", ["04-membership-changes.ipynb", "04-membership-changes (1).ipynb", "a/b.ipynb"])
def test_of_two_notebooks_the_better_one_counts_whatever_they_are_called(tmp_path, draft):
    hand_in(tmp_path, "alice", {"has-quorum": ONE_POT})
    place = tmp_path / "alice" / draft
    place.parent.mkdir(exist_ok=True)
    (tmp_path / "alice" / "04-membership-changes.ipynb").rename(place)
    hand_in(tmp_path, "alice/04-membership-changes_v2", {"has-quorum": RIGHT["has-quorum"]})
    mark = grade(tmp_path, exercises=["has-quorum"], progress=False).results[0].marks[0]
    assert mark.passed
    assert mark.notebook == "04-membership-changes_v2/04-membership-changes.ipynb"


def test_a_name_is_no_formula():
    table = Results((Result("=HYPERLINK(1)", "key", ()),)).csv()
    assert "'=HYPERLINK" in table


# --- Wherever it is done -----------------------------------------------------------------------------


def texts(results):
    return [result.text() for result in results.results]


def test_the_bytes_are_the_same_again_in_threads_and_in_processes(handed_in, graded):
    with ProcessPoolExecutor(2, get_context("spawn")) as processes, ThreadPoolExecutor(2) as threads:
        for executor in (processes, threads):
            assert texts(grade(handed_in, exercises=THESE, executor=executor, progress=False)) == texts(graded)


def test_equal_answers_get_equal_marks(tmp_path):
    for student in ("erin", "frank"):
        hand_in(tmp_path, student, {"has-quorum": ONE_POT})
    erin, frank = grade(tmp_path, exercises=["has-quorum"], progress=False).results
    assert erin.marks == frank.marks
    assert erin.key != frank.key


@pytest.mark.filterwarnings("default")
def test_the_command_grades_on_a_dask_cluster_and_says_what_is_unprotected_there(
    handed_in, graded, tmp_path, capsys, monkeypatch
):
    distributed = pytest.importorskip("distributed", reason="python -m pip install 'raft_lab[cluster]'")
    command = ["grade", str(handed_in), "--out", str(tmp_path / "grades.csv"), "--exercises", ",".join(THESE)]
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setattr(grade_command, "unprotected", _no_network)  # what a worker says, which is another process
        assert main([*command, "--dask", cluster.scheduler_address]) == 0
    assert "On the cluster's workers the system does not protect from answers: network." in capsys.readouterr().out
    assert (tmp_path / "grades.csv").read_text() == graded.csv()


def _no_network() -> list[str]:
    return ["network"]


@pytest.mark.filterwarnings("default")
def test_the_bytes_are_the_same_on_a_dask_cluster(handed_in, graded):
    distributed = pytest.importorskip("distributed", reason="python -m pip install 'raft_lab[cluster]'")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        assert texts(grade(handed_in, exercises=THESE, executor=executor, progress=False)) == texts(graded)


def test_another_seed_is_another_key_and_the_same_points(handed_in, graded):
    other = grade(handed_in / "bob", student="bob", exercises=THESE, seed=7, progress=False).results[0]
    bob = graded.results[1]
    assert other.key != bob.key
    assert [mark.points for mark in other.marks] == [mark.points for mark in bob.marks]


# --- Kept, and taken up again ------------------------------------------------------------------------


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file is which: a file that is written again is another one."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.json")}


def test_what_is_done_is_not_done_again_but_what_was_handed_in_anew_is(tmp_path):
    folder, kept = tmp_path / "submissions", tmp_path / "kept"
    for student in ("alice", "bob", "carol"):
        hand_in(folder, student, {"increment": LOSES_COUNTS})
    grade(folder, exercises=["increment"], keep=kept, progress=False)
    before = written(kept)
    assert sorted(before) == ["alice.json", "bob.json", "carol.json"]
    hand_in(folder, "bob", {"increment": RIGHT["increment"]})
    (kept / "carol.json").write_text("damaged")
    again = grade(folder, exercises=["increment"], keep=kept, progress=False)
    after = written(kept)
    assert [result.points for result in again.results] == [0, 5, 0]
    assert {name for name in before if before[name] != after[name]} == {"bob.json", "carol.json"}


def test_killed_half_way_nothing_is_lost_and_nothing_is_graded_twice(tmp_path):
    folder, out = tmp_path / "submissions", tmp_path / "grades.csv"
    for number in range(8):
        hand_in(folder, f"s{number}", {"increment": LOSES_COUNTS})
    code = "import sys; from raft_lab.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "grade", str(folder), "--out", str(out), "--workers", "2"]
    command += ["--exercises", "increment"]
    kept = tmp_path / "grades.results"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 240
        while len(written(kept)) < 2 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    half = written(kept)
    assert 2 <= len(half) < 8
    assert not out.exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = written(kept)
    assert len(whole) == 8
    assert {name: whole[name] for name in half} == half
    assert [row["student"] for row in csv.DictReader(out.open())] == [f"s{number}" for number in range(8)]


# --- In a terminal -----------------------------------------------------------------------------------


def test_the_command_writes_what_it_is_asked_for_and_says_how_it_went(handed_in, tmp_path, capsys):
    out = tmp_path / "grades.csv"
    command = ["grade", str(handed_in), "--out", str(out), "--exercises", ",".join(THESE), "--workers", "1"]
    command += ["--reports", str(tmp_path / "reports"), "--failures", str(tmp_path / "failures.csv")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "4 submissions." in said
    assert "increment: 2 of 4 passed" in said
    assert out.read_text().startswith("student,has-quorum,increment,")
    assert (tmp_path / "reports" / "index.html").is_file()
    assert (tmp_path / "failures.csv").is_file()


def test_one_student_alone_as_gradescope_has_it(handed_in, tmp_path):
    command = ["grade", str(handed_in / "bob"), "--student", "bob", "--gradescope", str(tmp_path / "results")]
    assert main([*command, "--exercises", "has-quorum"]) == 0
    assert (
        json.loads((tmp_path / "results" / "results.json").read_text())["tests"][0]["name"]
        == "What a quorum is (has-quorum)"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--out", "x.csv"], "nowhere is no folder"),
        ([".", "--exercises", "cooking", "--out", "x.csv"], "there is no exercise 'cooking'; there are"),
        (["."], "say what to write"),
        ([".", "--out", "x.csv", "--workers", "0"], "--workers is a number from 1 on"),
        ([".", "--out", "x.csv", "--seed", "-1"], "--seed is a number from 0 on"),
        ([".", "--out", "x.csv", "--lessons", "09"], "there is no lesson '09' with exercises; there are 01, 02,"),
        ([".", "--out", "."], ". cannot be written: it is a folder; name a file in it"),
        ([".", "--failures", "file/x.csv"], "file is a file; name another place"),
        ([".", "--reports", "file"], "file is a file; name another place"),
        ([".", "--out", "x.csv"], "01-leader-election (1).ipynb does not say whose it is"),
    ],
    ids=[
        "folder",
        "exercise",
        "nothing to write",
        "workers",
        "seed",
        "lesson",
        "a folder as file",
        "a file on the way",
        "a file as folder",
        "one student's folder",
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "01-leader-election (1).ipynb").touch()
    assert main(["grade", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("raft-lab: ")
    assert said in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01-leader-election (1).ipynb", "file"]


def test_what_needs_a_persons_eye_is_told_at_the_end(tmp_path, capsys):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "alice.ipynb").write_text("half a noteb")
    (tmp_path / "class" / "bob.zip").touch()
    command = ["grade", str(tmp_path / "class"), "--out", str(tmp_path / "made" / "grades.csv")]
    assert main([*command, "--exercises", "increment", "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "Left out, as neither a folder nor a notebook: bob.zip.\n1 submission.\n" in said
    assert "could not be read was handed in by alice: ask for it again." in said
    assert (tmp_path / "made" / "grades.csv").is_file()


def test_whoever_stops_it_is_told_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade_command, "grade", stopped)
    assert main(["grade", str(tmp_path), "--reports", str(tmp_path / "reports"), "--workers", "1"]) == 130
    kept = tmp_path / "reports.results"
    said = f"raft-lab: interrupted; what is done is kept in {kept}, and the same command goes on from there\n"
    assert capsys.readouterr().err == said


def test_whoever_stops_it_does_not_wait_for_what_is_being_graded():
    before = set(active_children())
    options = argparse.Namespace(dask=None, student=None, workers=2)
    with contextlib.suppress(KeyboardInterrupt), grade_command._executor(options) as (pool, _):
        being_graded = pool.submit(time.sleep, 3600)
        while not being_graded.running():
            time.sleep(0.02)
        raise KeyboardInterrupt
    assert set(active_children()) <= before


def test_a_grader_that_is_killed_leaves_no_folder_behind(tmp_path):
    code = (
        "from raft_lab.course.sandbox import Nursery; nursery = Nursery(); print(nursery.folder, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as grader:
        folder = Path(grader.stdout.readline().decode().strip())
        assert folder.parent == tmp_path
        assert folder.is_dir()
        grader.kill()
    until = time.monotonic() + 60
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not folder.exists()


def test_when_all_is_done_no_process_is_left(tmp_path):
    from raft_lab.course import sandbox

    hand_in(tmp_path, "alice", {"increment": LOSES_COUNTS})
    grade(tmp_path, exercises=["increment"], progress=False)
    nurseries = [nursery for _, nursery in sandbox._idle]
    assert nurseries
    sandbox.close_nurseries()
    assert all(nursery.process.poll() is not None for nursery in nurseries)
