"""The command line's frame: lazy verbs, one-line errors, exit statuses."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from perfmodel import __version__, cli
from perfmodel.errors import FailureError, InputError

ROOT = Path(__file__).resolve().parents[2]
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perfmodel", *arguments], capture_output=True, text=True, timeout=120, cwd=ROOT
    )


def inside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, *words: str
) -> tuple[int, str]:
    """Run a verb that raises `error`; returns the exit status and stderr."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: command)
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor", *words])
    assert isinstance(caught.value.code, int)
    return caught.value.code, capsys.readouterr().err


def test_modules_and_table_agree() -> None:
    modules = {path.stem for path in (ROOT / "perfmodel" / "cli").glob("*.py")}
    verbs = {
        name for name in modules - {"__init__"} if hasattr(importlib.import_module(f"perfmodel.cli.{name}"), "command")
    }
    assert verbs == set(cli.VERBS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_and_docs(verb: str) -> None:
    command = importlib.import_module(f"perfmodel.cli.{verb}").command
    assert command.get_short_help_str(limit=200) == cli.VERBS[verb]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{verb} {parameter.opts} has no help"
    assert re.search(rf"perfmodel {verb}\b", DOCS), f"docs/ does not mention 'perfmodel {verb}'"


def test_help_lists_all_verbs() -> None:
    result = run("--help")
    assert result.returncode == 0
    for verb, line in cli.VERBS.items():
        assert re.search(rf"^  {verb}\s+{re.escape(line[:30])}", result.stdout, re.MULTILINE)


def test_only_the_verb_asked_for_is_imported() -> None:
    code = (
        "import sys\nfrom perfmodel import cli\n"
        "try:\n    cli.main(['doctor', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('perfmodel.cli.')))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.stdout.splitlines()[-1] == "['perfmodel.cli.doctor']"


def test_version() -> None:
    assert run("--version").stdout.strip() == f"perfmodel, version {__version__}"


@pytest.mark.parametrize("words", [["nosuchverb"], ["doctor", "--nosuchoption"], ["doctor", "extra"]])
def test_wrong_usage_is_one_line_and_status_2(words: list[str]) -> None:
    result = run(*words)
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(r"error: .*--help'\.\n", result.stderr)


def test_no_verb_prints_help_and_status_2() -> None:
    result = run()
    assert result.returncode == 2
    assert "Verbs:" in result.stderr


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("no GPU 'p1000'", "did you mean p100?"), 2, "error: no GPU 'p1000'; did you mean p100?\n"),
        (FailureError("it\nbroke"), 1, "error: it broke\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (
            ZeroDivisionError("division by zero"),
            1,
            "error: ZeroDivisionError: division by zero (a defect; --debug shows where)\n",
        ),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    line: str,
) -> None:
    assert inside(monkeypatch, capsys, error) == (status, line)


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = inside(monkeypatch, capsys, InputError("wrong"), "--debug")
    assert status == 2
    assert "Traceback (most recent call last)" in text
    assert text.endswith("error: wrong\n")


def test_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m perfmodel doctor --json | head -c 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.stdout == "{"
    assert result.stderr == ""


def test_ctrl_c_is_130() -> None:
    code = (
        "import click, time\nfrom perfmodel import cli\n"
        "@click.command()\ndef command():\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "cli.LazyGroup.get_command = lambda *_: command\ncli.main(['doctor'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == "error: interrupted\n"


def test_doctor_json() -> None:
    result = run("doctor", "--json")
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert {finding["group"] for finding in document["findings"]} == {"machine", "native", "gpu", "packages", "extras"}
    assert all(finding["remedy"] for finding in document["findings"] if finding["status"] != "ok")
    assert result.returncode == (1 if document["problems"] else 0)


def test_doctor_names_a_wrong_instruction_set() -> None:
    pytest.importorskip("perfmodel._cpu", reason="the native CPU module is not built")
    environment = {**os.environ, "PERFMODEL_ISA": "sse9"}
    result = subprocess.run(
        [sys.executable, "-m", "perfmodel", "doctor"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=environment,
    )
    assert result.returncode == 1
    assert "no instruction set 'sse9'" in result.stdout


def wall_s(code: str) -> float:
    """Shortest of five runs of a fresh interpreter."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
    return min(times)


def test_the_frame_starts_fast() -> None:
    """Starting the command line costs less than twice importing numpy."""
    code = "from perfmodel import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass"
    assert wall_s(code) < 2.0 * wall_s("import numpy")
