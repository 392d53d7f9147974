"""What steps back does so alone, with what it starts."""

import os
import subprocess
import sys
import threading

from dicom_node.precedence import behind

ASK = "import os; print(os.sched_getscheduler(0))"


def test_a_thread_steps_back_with_the_processes_it_starts() -> None:
    found: list[int] = []

    def run(_: threading.Event) -> None:
        found.append(os.sched_getscheduler(0))
        asked = subprocess.run([sys.executable, "-c", ASK], capture_output=True, check=True)
        found.append(int(asked.stdout))

    before = os.sched_getscheduler(0)
    thread = threading.Thread(target=behind(run), args=(threading.Event(),))
    thread.start()
    thread.join()
    assert found == [os.SCHED_IDLE, os.SCHED_IDLE]
    assert os.sched_getscheduler(0) == before
