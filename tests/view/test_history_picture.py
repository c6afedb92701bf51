"""What clients saw, as a picture: where things stand, what they say, and how they look in a browser."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from check.concurrent_clients import concurrent_history, spoiled
from raft_lab import Cluster, History, Operation, Server, check_linearizable, without
from raft_lab.sim import scenarios
from raft_lab.view.history import html, mimebundle, page, svg
from raft_lab.view.lanes import AROUND, Layout, arrange


@pytest.fixture(scope="module")
def stale() -> Cluster:
    """S1 was replaced without knowing it, and a client has read an old value from it."""
    return scenarios.stale_read(without(Server, "read-index round"))


def laid_out(*operations: Operation, **more: object) -> Layout:
    history = History(operations, **more)
    return arrange(history, check_linearizable(history))


def test_who_returned_before_another_was_called_stands_to_its_left():
    history = concurrent_history(2, clients=5, operations=30, keys=2)
    bars = arrange(history, check_linearizable(history)).bars
    assert len(bars) == 30
    for one in bars:
        for other in bars:
            assert (one.end <= other.x) == (one.operation.returned < other.operation.called)


def test_each_operation_takes_effect_within_its_bar_in_the_order_found():
    history = concurrent_history(4, clients=6, operations=36, keys=2, unanswered=0.1)
    placed = [bar for bar in arrange(history, check_linearizable(history)).bars if bar.number]
    assert len(placed) > 30
    assert all(bar.x < bar.point <= bar.end for bar in placed)
    in_order = sorted(placed, key=lambda bar: bar.number)
    assert [bar.point for bar in in_order] == sorted(bar.point for bar in placed)


def test_bars_of_one_client_that_overlap_stand_in_two_rows():
    layout = laid_out(Operation("c1", "write", "x", 1, 0, None), Operation("c1", "write", "x", 2, 1, 2))
    assert len({bar.y for bar in layout.bars}) == 2
    assert [name for name, *_ in layout.lanes] == ["c1"]


def test_a_bar_names_the_steps_of_the_tape(stale):
    verdict = check_linearizable(stale)
    (bar,) = [bar for bar in arrange(verdict.history, verdict).bars if bar.operation is verdict.impossible]
    assert str(stale.tape.steps[bar.steps[0]].action).startswith("cluster.read('S1'")
    assert any(answer.id for answer in stale.tape.steps[bar.steps[1]].transition.answers)
    assert f'data-called-step="{bar.steps[0]}" data-returned-step="{bar.steps[1]}"' in html(verdict.history, verdict)


def test_the_verdict_shows_itself_with_the_reason_and_the_picture(stale):
    verdict = check_linearizable(stale)
    bundle = verdict._repr_mimebundle_()
    assert bundle["text/plain"] == str(verdict)
    assert "✗ Not linearizable." in bundle["text/html"]
    assert verdict.reason.replace("'", "&#x27;") in bundle["text/html"]
    assert bundle["text/html"].count("data-impossible ") == 1


def test_the_clients_history_of_a_cluster_shows_itself_without_a_verdict(stale):
    bundle = stale.operations._repr_mimebundle_()
    assert bundle["text/plain"].startswith("3 operations of")
    assert "S3 leads term 2" in bundle["text/html"]
    assert "rh-verdict" not in bundle["text/html"].split("</style>")[1]


def test_of_a_long_history_only_the_place_where_it_goes_wrong_is_drawn():
    bad, _ = spoiled(concurrent_history(1), 1)
    verdict = check_linearizable(bad)
    layout = arrange(bad, verdict)
    assert len(layout.bars) == AROUND
    assert layout.bars[-1].operation.key == verdict.impossible.key
    assert any(bar.operation is verdict.impossible for bar in layout.bars)
    assert f"{1000 - AROUND} other operations are not drawn" in html(bad, verdict)


@pytest.mark.parametrize("budget", [1, 1000])
def test_every_verdict_has_a_picture_that_is_well_formed(budget):
    hard = [Operation(f"c{n}", "append", "x", chr(97 + n), n, 100 + n) for n in range(6)]
    history = History((*hard, Operation("<r&d>", "get", "x", None, 50, 200, '"no" such <value>')))
    for verdict in (None, check_linearizable(history, budget=budget)):
        tree = ET.fromstring(svg(arrange(history, verdict), history, verdict))
        assert tree.attrib["role"] == "img"
        assert len([group for group in tree.iter("g") if group.get("class") == "rh-bar"]) == 7


def test_a_history_without_operations_has_a_picture_too():
    assert "0 operations of 0 clients" in mimebundle(Cluster(3).operations)["text/html"]
    assert "✓ Linearizable." in html(History(()), check_linearizable(Cluster(3)))


def test_what_was_in_the_logs_from_the_beginning_is_told_and_not_drawn():
    cluster = Cluster(3, seed=1, logs={name: [(1, "set x 1")] for name in ("S1", "S2", "S3")})
    assert arrange(cluster.operations).bars == ()
    assert "in the logs from the beginning: set x 1" in html(cluster.operations)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stay_in_their_bars_and_every_text_can_be_read(browser, stale, scheme):
    """In a real browser: no label is wider than its bar, and no text has less contrast than 4.5 to 1."""
    refused = replace(Operation("c9", "set", "x", "refused", 2, 3), failed=True)
    verdict = check_linearizable(stale)
    shown = replace(verdict, history=replace(verdict.history, operations=(*verdict.history.operations, refused)))
    tab = browser.new_page(viewport={"width": 1000, "height": 600}, color_scheme=scheme)
    tab.set_content(page(shown.history, shown))
    wide = tab.evaluate("""() => [...document.querySelectorAll(".rh-bar")].filter((bar) => {
      const [words, box] = ["text", "rect, path"].map((part) => bar.querySelector(part).getBoundingClientRect());
      return words.right > box.right;
    }).map((bar) => bar.textContent)""")
    assert wide == []
    faint = tab.evaluate("""() => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
      const rgb = (colour, under) => {
        canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
      const paper = matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#ffffff";
      const texts = [...document.querySelectorAll("svg text, p, p span, summary")].filter((text) => text.textContent);
      return texts.map((text) => {
        const inside = text.parentElement.querySelector("rect, path");
        const fill = text.closest(".rh-bar, .rh-dot") && inside ? getComputedStyle(inside).fill : "none";
        const under = fill === "none" || fill.startsWith("url") ? paper : "rgb(" + rgb(fill, paper).join() + ")";
        const swatch = text.closest('[data-kind="order"]');
        const style = getComputedStyle(text);
        const ink = text instanceof SVGElement ? style.fill : style.color;
        const ground = swatch ? "#0072b2" : under;
        const [a, b] = [light(rgb(ink, ground)), light(rgb(ground, ground))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.textContent];
      }).filter(([contrast]) => contrast < 4.5);
    }""")
    tab.close()
    assert faint == []
