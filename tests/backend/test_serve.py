"""How the server answers on a connection that is kept."""

from __future__ import annotations

import time

from tests.serving import Server

DELAYED_ACKNOWLEDGEMENT_S = 0.040
"""What Linux lets a receiver wait at least before it acknowledges."""


def test_no_answer_waits_for_the_acknowledgement_of_its_first_part(shared_server: Server) -> None:
    """With Nagle's algorithm each answer but the first ones would: the fastest of many shows it on any machine."""
    times = []
    for _ in range(40):
        started = time.perf_counter()
        shared_server.client.get("/api/health").raise_for_status()
        times.append(time.perf_counter() - started)
    assert min(times[20:]) < DELAYED_ACKNOWLEDGEMENT_S
