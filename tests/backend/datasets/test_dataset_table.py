"""Every format in every condition a file can come in: taken with the exact count, or refused with line and cause, soon."""

from __future__ import annotations

import os
import re
import time

import pytest

from tests.dataset_cases import CASES, Case
from tests.serving import Server


@pytest.mark.slow  # the checker alone goes through the same table in tests/worker/datasets/test_validation.py
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_file_is_taken_with_its_count_or_refused_with_line_and_cause(shared_server: Server, case: Case) -> None:
    folder = shared_server.data_dir / "datasets"
    before = sorted(os.listdir(folder))
    data = case.data()
    began = time.monotonic()
    answer = shared_server.client.post("/api/datasets", files={"file": (case.filename, data)})
    seconds = time.monotonic() - began
    if isinstance(case.expected, int):
        assert answer.status_code in (200, 201), answer.text
        assert answer.json()["rows"] == case.expected
        preview = shared_server.client.get(f"/api/datasets/{answer.json()['id']}/preview?limit=3").json()
        assert preview["total"] == case.expected
        assert preview["examples"]
        assert shared_server.client.delete(f"/api/datasets/{answer.json()['id']}").status_code == 204
    else:
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "file"), answer.text
        assert re.search(case.expected, answer.json()["error"]["message"]), answer.json()
        assert seconds < 10, "2 s on a machine that does nothing else"
    assert sorted(os.listdir(folder)) == before
