"""Electors in thousands of storms, each with and without fencing: nothing may go wrong that must not.

python tests/benchmarks/electors.py                        # 2,000 storms; on one core about half an hour
python tests/benchmarks/electors.py --seeds 100            # fewer
python tests/benchmarks/electors.py --from 2000 --workers 2

Measured on storms 0 to 1999: 147,905 writes, 1,690 takeovers; with fencing none interleaves and 1,466 are refused, in
198 storms; in the same 198 storms 1,466 interleave without it. Two worked at once in 201 storms, and in none of the 991
where nothing allows it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kube.storms import Pair


def told(pairs: dict[int, Pair], seconds: float) -> str:
    """What came of them."""
    fenced = [pair.fenced for pair in pairs.values()]
    free = [pair.free for pair in pairs.values() if pair.free]
    promising = [outcome for outcome in fenced if outcome.promises]
    unique = [outcome for outcome in promising if outcome.unique]
    trouble = Counter(kind for outcome in fenced for kind in outcome.trouble)
    return "\n".join(
        (
            f"{len(pairs)} storms with fencing, {len(free)} of them once more without, in {seconds:.0f} s",
            f"trouble: {', '.join(f'{kind} in {count}' for kind, count in trouble.most_common())}",
            f"the lease went to another one {sum(o.took_over for o in fenced)} times",
            f"with fencing: {sum(o.interleaved for o in fenced)} writes interleave; "
            f"{sum(o.rejected for o in fenced)} were refused, in {sum(o.rejected > 0 for o in fenced)} storms",
            f"without: {sum(o.interleaved for o in free)} interleave, in {sum(o.interleaved > 0 for o in free)} storms",
            f"two worked at once in {sum(bool(o.worked) for o in fenced)} storms",
            f"of {len(promising)} where nothing allows it: in {sum(bool(o.worked) for o in promising)}; and IsLeader "
            f"was true of two in {sum(bool(o.believed) for o in unique)} of the {len(unique)} with unique identities "
            f"(of the others in {sum(bool(o.believed) for o in promising) - sum(bool(o.believed) for o in unique)})",
            f"when all was well again nobody worked for at most {max(o.longest_gap for o in fenced):.1f} s, "
            f"{max(o.longest_gap / o.longest_wait for o in fenced):.0%} of what that may take",
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--workers", type=int, default=1)
    wanted = parser.parse_args()
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    pairs: dict[int, Pair] = {}
    begun = time.perf_counter()
    with ProcessPoolExecutor(wanted.workers) as pool:
        for seed, pair in zip(seeds, pool.map(Pair.of, seeds, chunksize=4), strict=True):
            pairs[seed] = pair
            for problem in pair.problems:
                print(f"storm {seed} {pair.fenced.trouble}: {problem}", flush=True)
            if len(pairs) % 100 == 0:
                print(f"… {len(pairs)} in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    print(told(pairs, time.perf_counter() - begun))
    return 1 if any(pair.problems for pair in pairs.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
