"""Logs a run as a training script would, by another dashboard's own library, in the interpreter that has it.

``python -m tests.benchmarks.dashboard_writer live PEER FOLDER`` logs the loss at the pace that standard input tells,
``{"gaps": [seconds], "losses": [...]}``, over and over until it is ended, and prints ``[step, milliseconds since 1970]``
before it logs each. ``… bulk PEER FOLDER STEPS`` logs a whole run of five curves, as fast as it can.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

from tests.benchmarks.dashboard_curve import Curve, spike_of


class TensorBoard:
    """An event file, which is brought to the disk after each step if ``at_once``."""

    def __init__(self, folder: str, *, at_once: bool) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._writer, self._at_once = EventFileWriter(f"{folder}/run"), at_once

    def log(self, step: int, numbers: dict[str, float]) -> None:
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=self._summary(value=values)))
        if self._at_once:
            self._writer.flush()

    def end(self) -> None:
        self._writer.close()


class Trackio:
    """A run of the project ``bench``; where it lies is told by TRACKIO_DIR."""

    def __init__(self, folder: str, *, at_once: bool) -> None:
        import trackio

        self._trackio = trackio
        trackio.init(project="bench", name="run", embed=False, auto_log_gpu=False)

    def log(self, step: int, numbers: dict[str, float]) -> None:
        self._trackio.log(numbers, step=step)

    def end(self) -> None:
        self._trackio.finish()


PEERS: dict[str, Any] = {"tensorboard": TensorBoard, "trackio": Trackio}


def live(writer: Any) -> None:
    pace = json.load(sys.stdin)
    moment = time.perf_counter()
    for step in itertools.count(1):
        number = step % len(pace["gaps"])
        moment += pace["gaps"][number]
        time.sleep(max(0.0, moment - time.perf_counter()))
        print(json.dumps([step, time.time() * 1000]), file=sys.__stdout__, flush=True)
        writer.log(step, {"loss": pace["losses"][number]})


def bulk(writer: Any, steps: int) -> None:
    curve, spike = Curve(1, steps), spike_of(steps)
    for step in range(1, steps + 1):
        writer.log(step, curve.update(step, spike))
    writer.end()


if __name__ == "__main__":
    mode, peer, folder, *rest = sys.argv[1:]
    sys.stdout = sys.stderr  # what a peer's library says must not come between the steps
    opened = PEERS[peer](folder, at_once=mode == "live")
    live(opened) if mode == "live" else bulk(opened, int(rest[0]))
