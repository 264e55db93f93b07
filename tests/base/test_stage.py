"""A stage takes its paths as options and ends in one sentence when something is wrong."""

from pathlib import Path

import pytest

from uncertsam.base.errors import UserError, printable
from uncertsam.base.stage import run_stage


def test_options_become_typed_arguments():
    seen = {}

    def main(dataset: str, out: Path, extra_file: Path | None = None) -> None:
        seen.update(dataset=dataset, out=out, extra_file=extra_file)

    run_stage(main, ["--dataset", "a", "--out", "b/c", "--extra-file", "d"])
    assert seen == {"dataset": "a", "out": Path("b/c"), "extra_file": Path("d")}
    run_stage(main, ["--dataset", "a", "--out", "b/c"])
    assert seen["extra_file"] is None


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (UserError("The file x is broken.", "Restore it."), "error: The file x is broken. Restore it."),
        (OSError(28, "No space left on device", "big.bin"), "error: big.bin: No space left on device"),
        (OSError(13, "Permission denied", "K\udce4"), "error: K\\xe4: Permission denied"),
        (UserError("There is no file K\udce4\n.", "Check."), "error: There is no file K\\xe4 . Check."),
        (UnicodeEncodeError("utf-8", "K\udce4", 1, 2, ""), "error: The name K\\xe4 is not in UTF-8. Rename it"),
        (UnicodeEncodeError("utf-8", "K\udcc3\udca4", 1, 2, ""), "error: The locale is too narrow for Kä. Set"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_1(problem, says):
    def main(dataset: str) -> None:
        raise problem

    with pytest.raises(SystemExit) as stop:
        run_stage(main, ["--dataset", "a"])
    assert str(stop.value).startswith(says) and "\n" not in str(stop.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Kätzchen 猫.png", "Kätzchen 猫.png"), ("K\udce4", "K\\xe4"), ("\udcc3\udca4", "ä"),
        ("a\n\x1b[2J", "a\\n\\x1b[2J"), ("\ud800", "\\ud800"),
    ],
)  # fmt: skip
def test_any_name_can_be_shown(name, shown):
    assert printable(name) == shown and printable(shown) == shown
    shown.encode()


def test_ctrl_c_is_exit_code_130(capsys):
    def main(dataset: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        run_stage(main, ["--dataset", "a"])
    assert stop.value.code == 130 and "nothing was half-written" in capsys.readouterr().err


def test_a_programming_error_keeps_its_traceback():
    def main(dataset: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage(main, ["--dataset", "a"])
