"""Ctrl-C: runs side by side save their state at the next update, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from signclip.core import files

SCRIPT = """
import signal
import sys
from pathlib import Path
from signclip.core import jobs

if __name__ == "__main__":
    # a shell starts what runs in its background, such as these tests, with the signal ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, sys.argv[1])
    jobs.PRELOADED = ()
    jobs.run_all("counting:count", [Path(sys.argv[1], name) for name in "ab"], jobs=2, total=1e6,
                 desc="count")
"""
COUNTING = """
import time

from signclip.core.workers import Stopped

def count(path, *, progress):
    done = 0
    try:
        while True:
            time.sleep(0.01)
            done += 1
            path.with_suffix(".begun").touch()
            progress(1.0)
    except Stopped:
        path.write_text(str(done))
        raise
"""


def test_an_interrupt_stops_all_processes_after_they_saved_what_they_did(tmp_path):
    (tmp_path / "counting.py").write_text(COUNTING)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])},
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("*.begun"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process gets it
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "what is done is kept, the same command goes on" in said
    assert "leaked" not in said
    assert all(int((tmp_path / name).read_text()) > 0 for name in "ab")


def test_an_interrupt_while_the_processes_still_import_is_no_traceback(tmp_path):
    slow = "import pathlib, time\npathlib.Path(__file__).with_suffix('.importing').touch()\n"
    (tmp_path / "counting.py").write_text(f"{slow}time.sleep(2)\n{COUNTING}")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = (str(Path(files.__file__).parents[2]), str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "counting.importing").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "what is done is kept, the same command goes on" in said
    assert said.count("Traceback") == 1  # the script's own, which has no command line around it
    assert "KeyboardInterrupt" in said.splitlines()[-1]
    assert not list(tmp_path.glob("*.begun"))
