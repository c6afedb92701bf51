"""The Raft paper's Figure 16 (section 9.3) by the timed cluster, line by line, beside what the paper says.

    python tests/benchmarks/figure_16.py [--trials 1000] [--html figure_16.html]

The paper gives the broadcast time, about 15 ms, and not how it falls; so there are two models of it, each fixed
beforehand and the same for all lines. The paper plots its curves and names five figures in its text; only these are
compared.
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ProcessPoolExecutor

from raft_lab.course.experiments import NETWORKS, downtimes_ms, figure_16

LINES = [
    (150, 150),
    (150, 151),
    (150, 155),
    (150, 175),
    (150, 200),
    (150, 300),
    (12, 24),
    (25, 50),
    (50, 100),
    (100, 200),
]
PAPER = {
    (150, 150): ("consistently over", 10_000.0, min),
    (150, 155): ("median", 287.0, statistics.median),
    (150, 200): ("worst", 513.0, max),
    (12, 24): ("mean", 35.0, statistics.mean),
}
PAPER_TOO = {(12, 24): ("worst", 152.0, max)}


def line(bounds: tuple[int, int], trials: int, network: str) -> list[float]:
    """All trials of one line; 100 for the one without randomness, as in the paper."""
    return downtimes_ms(*bounds, trials=min(trials, 100) if bounds == (150, 150) else trials, network=network)


def compared(bounds: tuple[int, int], sample: list[float]) -> str:
    """The paper's figures for a line, each beside ours."""
    said = []
    for table in (PAPER, PAPER_TOO):
        if bounds in table:
            what, paper, ask = table[bounds]
            ours = ask(sample)
            error = "" if bounds == (150, 150) else f" ({(ours - paper) / paper:+.0%})"
            said.append(f"{what} {paper:.0f} ms, ours {ours:.0f}{error}")
    return "; ".join(said)


def main() -> None:
    """Print a row a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--html", default="", help="write the last table's curves to this page")
    options = parser.parse_args()
    for network in NETWORKS:
        with ProcessPoolExecutor() as pool:
            samples = dict(
                zip(LINES, pool.map(line, LINES, [options.trials] * len(LINES), [network] * len(LINES)), strict=True)
            )
        print(f"15 ms a broadcast, {network}")
        print(f"{'timeout':>12} {'trials':>6} {'mean':>9} {'median':>9} {'worst':>9}   paper")
        for bounds, sample in samples.items():
            mean, median, worst = statistics.mean(sample), statistics.median(sample), max(sample)
            name = f"{bounds[0]}-{bounds[1]} ms"
            print(f"{name:>12} {len(sample):>6} {mean:>9.1f} {median:>9.1f} {worst:>9.1f}   {compared(bounds, sample)}")
    if options.html:
        named = {f"{low}-{high} ms": sample for (low, high), sample in samples.items()}
        figure_16(named).write_html(options.html, include_plotlyjs=True)


if __name__ == "__main__":
    main()
