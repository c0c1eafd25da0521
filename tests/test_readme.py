"""README's commands, run as they stand there; only the server's address is the test server's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from backend.datasets.sample_corpus import sample_lines

README = Path(__file__).parent.parent / "README.md"


def test_own_text_trains_through_curl_alone(server, tmp_path: Path) -> None:
    """A file of one's own goes in, every step comes out, and the model answers."""
    (tmp_path / "my.txt").write_text("\n".join(sample_lines(seed=7)[:300]), encoding="utf-8")
    commands = re.search(r"<!-- tests/test_readme.py.*?-->\n```bash\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    commands = commands.replace("http://127.0.0.1:8000", server.url)

    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert '"phase":"completed"' in done.stdout
    (steps,) = set(re.findall(r'"total_steps":(\d+)', done.stdout))
    assert done.stdout.count("event: step") == int(steps) >= 2 * (300 * 0.8) // 16
    assert "event: done" in done.stdout
