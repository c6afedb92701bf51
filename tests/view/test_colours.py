"""The colours of terms: told apart by every eye, and never in the way of the text on them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from view import sample_tapes
from view.lab_page import DARK, LIGHT, LabPage

Colour = tuple[float, ...]
Matrix = tuple[tuple[float, float, float], ...]

# Machado, Oliveira, Fernandes (2009): how the world looks to who lacks one kind of cone, severity 1.0.
EYES: dict[str, Matrix] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TO_XYZ: Matrix = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)


def times(matrix: Matrix, colour: Colour) -> Colour:
    return tuple(sum(a * b for a, b in zip(row, colour, strict=True)) for row in matrix)


def linear(colour: Colour) -> Colour:
    return tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour)


def lab_of(colour: Colour, eye: str) -> Colour:
    """CIELAB of an sRGB colour (0 to 1) as this eye sees it."""
    seen = tuple(min(1.0, max(0.0, v)) for v in times(EYES[eye], linear(colour)))
    x, y, z = (
        math.cbrt(v) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116
        for v in (part / white for part, white in zip(times(TO_XYZ, seen), WHITE, strict=True))
    )
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


def ciede2000(one: Colour, two: Colour) -> float:
    """The difference of two colours in CIELAB (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(hm - 30))
        + 0.24 * math.cos(math.radians(2 * hm))
        + 0.32 * math.cos(math.radians(3 * hm + 6))
        - 0.20 * math.cos(math.radians(4 * hm - 63))
    )
    rotation = (
        -2 * math.sqrt(cm**7 / (cm**7 + 25**7)) * math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2))))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    dl, dc, dh = (l2 - l1) / sl, (c2 - c1) / (1 + 0.045 * cm), dh / (1 + 0.015 * cm * t)
    return math.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


def luminance(colour: Colour) -> float:
    return sum(a * b for a, b in zip(TO_XYZ[1], linear(colour), strict=True))


def contrast(one: Colour, two: Colour) -> float:
    """The ratio of WCAG 2."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def worst_pair(colours: list[Colour]) -> float:
    return min(ciede2000(lab_of(a, eye), lab_of(b, eye)) for eye in EYES for a, b in itertools.combinations(colours, 2))


READ = """() => { const root = document.querySelector(".raft-lab"), canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const over = (...layers) => { pen.clearRect(0, 0, 1, 1);
    for (const layer of layers) { pen.fillStyle = layer; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255); };
  const paper = getComputedStyle(root).backgroundColor;
  const probe = document.createElement("div");
  root.append(probe);
  const colour = (css) => { probe.style.color = css; return getComputedStyle(probe).color; };
  const fills = {}, full = {}, text = {};
  for (const hue of ["0", "1", "2", "3", "4", "5", "6", "none"]) {
    probe.dataset.hue = hue;
    fills[hue] = over(paper, colour("var(--rl-tint)"));
    full[hue] = over(colour("var(--rl-hue)"));
    text[hue] = over(paper, colour("var(--rl-tint)"), colour("var(--rl-ink)"));
  }
  const words = {};
  for (const name of ["ink", "soft", "accent", "danger"]) words[name] = over(paper, colour(`var(--rl-${name})`));
  probe.remove();
  return { paper: over(paper), fills, full, text, words }; }"""


@pytest.fixture(params=[LIGHT, DARK], ids=["light", "dark"])
def colours(request: pytest.FixtureRequest, lab: LabPage) -> dict[str, Any]:
    """What the style sheet makes of its variables, in one theme."""
    lab.show(sample_tapes.elected(), css=request.param)
    return lab.page.evaluate(READ)


def test_the_formula_gives_the_published_differences() -> None:
    pairs = [((50, 2.6772, -79.7751), (50, 0, -82.7485)), ((50, 2.5, 0), (73, 25, -18)), ((50, 2.5, 0), (58, 24, 15))]
    assert [round(ciede2000(one, two), 4) for one, two in pairs] == [2.0425, 27.1492, 19.4535]


def test_any_two_terms_are_told_apart_by_every_eye(colours: dict[str, Any]) -> None:
    for shown in ("fills", "full"):
        terms = [tuple(colour) for hue, colour in colours[shown].items() if hue != "none"]
        assert worst_pair(terms) > 10, shown


def test_text_on_every_term_can_be_read(colours: dict[str, Any]) -> None:
    ratios = {hue: contrast(colours["fills"][hue], colours["text"][hue]) for hue in colours["fills"]}
    assert {hue: ratio for hue, ratio in ratios.items() if ratio < 4.5} == {}


def test_words_can_be_read_on_the_ground(colours: dict[str, Any]) -> None:
    ratios = {name: contrast(colours["paper"], colour) for name, colour in colours["words"].items()}
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


def test_a_theme_that_changes_is_followed_at_once(lab: LabPage) -> None:
    lab.show(sample_tapes.elected(), css=LIGHT)
    assert lab.page.get_attribute(".raft-lab", "data-theme") == "light"
    lab.page.add_style_tag(content=DARK)
    lab.page.wait_for_selector('.raft-lab[data-theme="dark"]')
