"""The command says in one line what is wrong and how to mend it."""


def test_a_mistake_is_one_line_without_traceback(root, monkeypatch, uncertsam):
    monkeypatch.chdir(root)
    code, _, error = uncertsam("use", "nonsense")
    assert code == 1 and error == "error: There is no profile 'nonsense'. Choose one of demo, folder, paper."


def test_comparing_with_nothing_fails(root, uncertsam, tmp_path):
    assert "holds no tables" in uncertsam("compare", root / "reports", tmp_path / "nowhere")[2]
