"""`raft-lab fuzz`: what the command takes, does and tells."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from raft_lab.check.fuzz import fuzz
from raft_lab.check.loading import load_server, prepare_worker
from raft_lab.check.mixes import MIXES
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.rules import switched
from raft_lab.raft.server import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand after `raft-lab fuzz`."""
    parser.add_argument("--seeds", type=int, metavar="N", help="how many runs (default: 100, or 1 with --seed)")
    parser.add_argument("--seed", type=int, metavar="K", help="the first run (default: 0)")
    parser.add_argument("--actions", type=int, default=400, metavar="N", help="actions in a run (400)")
    parser.add_argument("--server", metavar="PLACE", help="your class: module:Class or file.py:Class")
    parser.add_argument("--without", action="append", default=[], metavar="RULE", help="turn a rule off")
    parser.add_argument("--rules", action="append", default=[], metavar="RULE", help="turn an optional rule on")
    parser.add_argument("--mix", choices=sorted(MIXES), help="the family of runs (default: each run chooses)")
    parser.add_argument("--findings", type=int, default=5, metavar="N", help="stop when so many went wrong (5)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument("--save", type=Path, metavar="RUN.json", help="write the first finding, made small")


def run(options: argparse.Namespace) -> tuple[bool, str]:
    """Whether something went wrong, and what to tell.

    Raises:
        RaftLabError: the options make no sense.
    """
    first = options.seed or 0
    count = options.seeds if options.seeds is not None else 1 if options.seed is not None else 100
    if count < 1 or options.workers < 1:
        raise RaftLabError("--seeds and --workers are numbers from 1 on")
    places = [options.server] if options.server else []
    server = switched(load_server(options.server) if places else Server, off=options.without, on=options.rules)
    with contextlib.ExitStack() as stack:
        pool = None
        if options.workers > 1:
            pool = ProcessPoolExecutor(options.workers, initializer=prepare_worker, initargs=(places,))
            stack.callback(pool.shutdown, cancel_futures=True)
        try:
            report = fuzz(
                server,
                range(first, first + count),
                options.actions,
                mix=options.mix,
                findings=options.findings,
                executor=pool,
                progress=sys.stderr.isatty(),
            )
        except ValueError as error:
            raise RaftLabError(str(error)) from None
    told = [str(replace(finding, code=_again(options, finding.seed))) for finding in report.findings]
    small = next((finding.counterexample for finding in report.findings if finding.counterexample), None)
    told += [str(small)] * (small is not None) + [report.summary()]
    if options.save and small is not None:
        small.cluster().save(options.save)
        told.append(f"The first of them, made small, is in {options.save}: Cluster.load opens it.")
    return bool(report.findings or report.failure), "\n".join(told)


def _again(options: argparse.Namespace, seed: int) -> str:
    """The command that does one run again."""
    words = ["raft-lab", "fuzz", "--seed", str(seed), "--actions", str(options.actions)]
    for name in ("server", "mix"):
        words += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    for name in ("without", "rules"):
        words += [word for rule in getattr(options, name) for word in (f"--{name}", rule)]
    return shlex.join(words)
