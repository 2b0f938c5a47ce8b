"""One of several processes: names the threads that are left once it left the others (Linux)."""

import atexit
import importlib
import sys
from pathlib import Path

from zhiling.training.running.processes import Processes, together


def _name_threads() -> None:
    sys.stdout.writelines(sorted(each.read_text() for each in Path("/proc/self/task").glob("*/comm")))


if __name__ == "__main__":
    atexit.register(_name_threads)  # before the process joins, so it comes after it left
    with together():
        processes = Processes.here()
        assert processes.total(1.0) == processes.count
        importlib.import_module("torch.distributed.nn.functional")  # parts of PyTorch import it later
