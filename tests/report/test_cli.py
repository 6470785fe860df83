"""The command line says in one sentence what is wrong, and writes nothing then."""

import subprocess
import sys

import pytest

import sysid
from sysid.cli import main
from tests.data import ROOT


def refused(capsys, *arguments):
    """The one sentence on the error stream after a command that must fail."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("sysid: ") and captured.err.count("\n") == 1
    return captured.err


def table(folder, text):
    path = folder / "table.csv"
    path.write_text(text)
    return str(path)


def test_the_version_is_printed_and_is_the_package_s():
    run = subprocess.run([sys.executable, "-m", "sysid", "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"sysid {sysid.__version__}"
    assert f'version = "{sysid.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_an_unwritable_folder_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    said = refused(capsys, "demo", "--out", str(tmp_path / "file" / "out"))
    assert "expected a folder to write into" in said


def test_a_missing_file_is_named(tmp_path, capsys):
    said = refused(capsys, "report", str(tmp_path / "none.csv"), "--outputs", "y", "--out", str(tmp_path / "out"))
    assert "none.csv does not exist" in said


@pytest.mark.parametrize(("text", "says"), [
    ("u,z\n1,2\n", "y not among the headers"), ("u,y\n1,two\n2,3\n", "received 'two'"), ("", "empty file"),
    ("u,y\n", "received none"), ("u,y,y\n1,2,3\n", "duplicate headers y"), ("u,y\n,2\n3,4\n", "without gaps"),
    ("u,y\n1,2\n3,4\n", "samples"), ("u,y\n1,inf\n3,4\n", "finite")])
def test_a_table_that_cannot_be_used_is_refused(text, says, tmp_path, capsys):
    out = tmp_path / "out"
    said = refused(capsys, "report", table(tmp_path, text), "--outputs", "y", "--inputs", "u", "--out", str(out))
    assert says in said
    assert not list(out.iterdir())


def test_a_wrong_interval_is_refused(tmp_path, capsys):
    said = refused(capsys, "report", table(tmp_path, "y\n1\n2\n"), "--outputs", "y", "--dt", "-1", "--out", str(tmp_path))
    assert "dt > 0" in said


def test_an_unknown_command_ends_with_usage(capsys):
    with pytest.raises(SystemExit) as end:
        main(["forecast"])
    assert end.value.code == 2
    assert "usage: python -m sysid" in capsys.readouterr().err
