"""One training run in one process: ``python -m worker RUN_DIR``."""
