"""Events page by page, at the edges of a page."""

from __future__ import annotations

import pytest

from backend.runs import history
from tests.backend.records import Records


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
def test_pages_of_any_size_hold_each_event_once_and_the_last_says_so(records: Records, limit: int) -> None:
    """A run led to its end here has told 4 things."""
    run_id = records.add("starting", "running", "completed")
    records.add("starting", "running")
    with records.database.read() as connection:
        whole, following = history.page(connection, run_id, 0, 1000, None)
        assert (len(whole), following) == (4, None)
        pages, after = [], 0
        while after is not None:
            items, after = history.page(connection, run_id, after, limit, None)
            pages.append(items)
    assert [event for items in pages for event in items] == whole
    assert [len(items) for items in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1], "an empty page would not be the last one"
