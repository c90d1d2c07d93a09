"""The command line itself: what it offers, what it answers, how it ends."""

from importlib import import_module

import pytest

from experiments.cli import run
from simulate.base.selfcheck import environment


def test_help_lists_the_commands(capsys):
    assert run(["--help"]) == 0
    words = capsys.readouterr().out.split()
    assert {"demo", "estimate", "check"} <= set(words)


@pytest.mark.parametrize("command", [["demo"], ["estimate", "dce"], ["check"]])
def test_every_command_explains_itself(command, capsys):
    assert run([*command, "--help"]) == 0
    assert "tracerflow " + " ".join(command) in capsys.readouterr().out


def test_version_is_that_of_the_package(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == environment()["tracerflow"]


def test_check_passes_on_this_machine(capsys):
    assert run(["check"]) == 0
    printed = capsys.readouterr().out
    assert "jax " in printed
    assert "jax#39103" in printed
    assert "FAIL" not in printed


@pytest.mark.parametrize("arguments", [["nonsense"], ["demo", "--seed", "many"], ["estimate", "dce"]])
def test_a_wrong_call_ends_with_two_and_one_line(arguments, capsys):
    assert run(arguments) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("tracerflow: ")
    assert "\n" not in told


def test_an_interrupt_is_no_traceback(monkeypatch, tmp_path, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("experiments.cli.demo"), "run_demo", interrupted)
    assert run(["demo", "--out", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err
