"""`python -m bench [NAME …]`: run all benchmarks, or those named. Ends with 1 when one is short."""

from __future__ import annotations

import sys
import time

from bench import (
    addons,
    audit,
    backup,
    cron,
    deploy_overhead,
    matrix,
    memory,
    pages,
    provision,
    restore,
    search,
    zero_downtime,
)
from bench.results import Result, print_results

BENCHMARKS = {
    "pages": pages.run,
    "deploy_overhead": deploy_overhead.run,
    "zero_downtime": zero_downtime.run,
    "memory": memory.run,
    "matrix": matrix.run,
    "search": search.run,
    "audit": audit.run,
    "addons": addons.run,
    "provision": provision.run,
    "cron": cron.run,
    "backup": backup.run,
    "restore": restore.run,
}


def main(names: list[str]) -> int:
    """0 when every bar is met, 1 when one is short, 2 for a name that is no benchmark."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}.")
        return 2
    results: list[Result] = []
    for name in names or BENCHMARKS:
        began = time.monotonic()
        found = BENCHMARKS[name]()
        print_results(found)
        print(f"({name} took {time.monotonic() - began:.0f} s)\n", flush=True)
        results += found
    if len(names) != 1:
        print_results(results)
    return 0 if all(result.is_ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
