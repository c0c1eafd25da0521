"""Models taken away: exports from their order to their deletion, and folders as zip files that go on after a break."""
