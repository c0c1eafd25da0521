"""Memory that is freed is there for what comes next, and is given back when asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, json, resource
import psutil
from worker.devices.c_library import give_back_freed_memory, keep_freed_memory

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
SIZE = 64 << 20

def use():
    places = [library.malloc(ctypes.c_size_t(SIZE)) for _ in range(2)]
    for place in places:
        ctypes.memset(place, 1, SIZE)
        library.free(ctypes.c_void_p(place))

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
keep_freed_memory()
use()
kept, held = faults(), psutil.Process().memory_info().rss
give_back_freed_memory()
print(json.dumps([usual, kept, held, psutil.Process().memory_info().rss]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_freed_memory_is_kept_and_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    usual, kept, held, given_back = json.loads(done.stdout)
    assert kept < usual / 10
    assert held - given_back > 100 << 20
