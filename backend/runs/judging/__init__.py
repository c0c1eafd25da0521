"""The coach beside each living run, and what it has found in the database."""
