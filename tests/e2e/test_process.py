"""The command line as a process: how it starts and ends, and what it leaves when it is stopped."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from importlib.metadata import entry_points, version

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

(DOOR,) = entry_points(group="console_scripts", name="seqrec")
MAIN = f"from {DOOR.module} import {DOOR.attr}; {DOOR.attr}()"  # what the script says
PROGRAM = [sys.executable, "-c", MAIN]


def test_the_process_exits_with_the_code_and_one_line(tmp_path):
    done = subprocess.run(
        [*PROGRAM, "prepare", "missing.csv", "--out", "x"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "missing.csv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_line_is_there_without_its_script():
    by_script, by_module = (
        subprocess.run([*door, "--help"], env=PLAIN, capture_output=True, text=True, timeout=60)
        for door in (PROGRAM, [sys.executable, "-m", "seqrec"])
    )
    assert by_module.returncode == 0, by_module.stderr
    shown, wanted = by_module.stdout.splitlines(), by_script.stdout.splitlines()
    assert shown[1:] == wanted[1:]  # but for the name of the program
    assert len(shown) > 10


def test_the_version_is_told():
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"seqrec {version('seqrec')}\n")


def seconds_of_cpu(*command):
    """The least processor time of five runs: what other processes do hardly counts."""

    def once():
        before = os.times()
        subprocess.run(command, env=PLAIN, stdout=subprocess.DEVNULL, timeout=60, check=True)
        after = os.times()
        return (after.children_user - before.children_user) + (
            after.children_system - before.children_system
        )

    return min(once() for _ in range(5))


PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("COV")}


@pytest.mark.parametrize(("code", "limit"), [(MAIN, 0.3), ("import seqrec", 0.15)])
def test_it_starts_at_once(code, limit):
    took = seconds_of_cpu(sys.executable, "-c", code, "--help")
    assert took < limit, f"{code!r} took {took:.2f} s: something heavy is imported"


@pytest.mark.parametrize("module", ["seqrec", "seqrec.__main__", "seqrec.cli"])
def test_the_door_imports_nothing_heavy(module):
    code = (
        f"import sys, {module};"
        "heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'scipy', 'rich', 'narwhals', 'tqdm'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_starts_no_thread_and_reads_no_arguments():
    code = (
        "import sys, threading; sys.argv = None;"
        "import seqrec, seqrec.cli; sys.exit(threading.active_count() - 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_ends_the_command_quietly():
    command = [*PROGRAM, "doctor"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_output_that_does_not_fit_is_an_error(options, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, *options, "-c", limit + MAIN, "--help"],
            stdout=out, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (5, "seqrec: error: File too large: output\n")


STOPPED_WHILE_IT_WRITES = f"""
import os, sys
from seqrec import folder

seal = folder._seal
number = int(sys.argv.pop(1))
folder._seal = lambda *arguments: (os.kill(os.getpid(), number), seal(*arguments))
{MAIN}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hangups_are_heard")
def test_a_command_that_is_terminated_leaves_nothing_half_written(tmp_path, number):
    log = "user_id,item_id\n" + "".join(f"{row % 3},{row}\n" for row in range(12))
    (tmp_path / "log.csv").write_text(log)
    program = [sys.executable, "-c", STOPPED_WHILE_IT_WRITES, str(int(number))]
    command = [*program, "prepare", "log.csv", "--out", "data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        128 + number,
        f"seqrec: error: stopped by {number.name}\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


STOPPED_WHILE_IT_IMPORTS = f"""
import os, sys

number = int(sys.argv.pop(1))

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == {{name!r}}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Watch())
{MAIN}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hangups_are_heard")
def test_a_signal_while_a_library_is_imported_ends_the_command(tmp_path, number):
    log = pa.table({"user_id": [1, 1, 1], "item_id": [2, 3, 4]})
    pq.write_table(log, tmp_path / "log.parquet")
    stopped = STOPPED_WHILE_IT_IMPORTS.format(name="pandas.core.groupby.generic")
    program = [sys.executable, "-c", stopped, str(int(number))]
    command = [*program, "prepare", "log.parquet", "--out", "data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 128 + number, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


@pytest.mark.parametrize("name", ["seqrec.cli", "typer", "seqrec.cli.train", "seqrec.errors"])
@pytest.mark.parametrize(("end", "said"), [("", "seqrec: error: interrupted\n"), ("2>&-", "")])
def test_an_interrupt_before_the_command_runs_is_one_line(name, end, said):
    program = [sys.executable, "-c", STOPPED_WHILE_IT_IMPORTS.format(name=name)]
    command = shlex.join([*program, str(int(signal.SIGINT)), "doctor"])
    done = subprocess.run(
        ["sh", "-c", f"{command} {end}"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", said)


def test_an_error_that_nobody_reads_has_its_code_all_the_same(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [*PROGRAM, "prepare", "missing.csv", "--out", "x"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=writer, timeout=60)
    os.close(writer)
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nosuch"], 2), (["train", "--nosuch"], 2), ([], 2), (["card", "x"], 4)],
)
def test_an_error_that_cannot_be_written_has_its_code_all_the_same(arguments, code, tmp_path):
    command = [*PROGRAM, *arguments]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, cwd=tmp_path, stderr=full, timeout=60)
    assert done.returncode == code


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_whose_output_is_closed_does_its_work(closed, tmp_path):
    log, told = tmp_path / "log.csv", tmp_path / "told"
    log.write_text("user_id,item_id\n1,2\n1,3\n1,4\n")
    command = shlex.join([*PROGRAM, "prepare", str(log), "--out", str(tmp_path / "data")])
    with told.open("w") as file:
        for code in (0, 5):  # the second time the folder is there
            ended = subprocess.run(["sh", "-c", f"{command} {closed}"], stdout=file, stderr=file)
            assert ended.returncode == code
    assert (tmp_path / "data" / "items.npy").exists()
    said = told.read_text()
    assert "Traceback" not in said
    assert ("exists" in said) == ("2>&-" not in closed)
