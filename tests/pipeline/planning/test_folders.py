"""Results go to a folder of their own, or the run is refused."""

from pathlib import Path

import pytest

from pipeline.planning import folders


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A home, a project and a working directory, each in a folder of its own."""
    for name in ("home/me", "code/project", "work/run"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(folders, "PROJECT", tmp_path / "code/project")
    monkeypatch.setenv("HOME", str(tmp_path / "home/me"))
    monkeypatch.chdir(tmp_path / "work/run")
    return tmp_path


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        (".", "is the working directory"),
        ("./x/..", "is the working directory"),
        ("..", "holds the working directory"),
        ("/", "holds "),
        ("//", "holds "),
        ("../../home/me", "is your home folder"),
        ("../../home", "holds your home folder"),
        ("../../code/project/", "is the project's own folder"),
        ("../../code", "holds the project's own folder"),
        ("link", "is your home folder"),
        ("link/..", "holds your home folder"),
        ("loop", "leads nowhere"),
        ("file", "is a file, not a folder"),
        ("~/results", "is not expanded here"),
        ("a{b}", "has '{' in its name"),
        ("a<results>b", "has '<results>' in its name"),
        ("-{a}", "has '{' in its name"),
        ("a\nb", "has characters that cannot be printed"),
        ("a\0b", "has characters that cannot be printed"),
    ],
)
def test_folder_that_holds_other_things_is_refused(places, value, why):
    Path("link").symlink_to(places / "home/me")
    Path("loop").symlink_to("loop")
    Path("file").touch()
    with pytest.raises(ValueError, match=r"^results: ") as error:
        folders.own_folder("results", value)
    assert why in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("results", "results"),
        ("results/", "results"),
        ("./results//msmd/.", "results/msmd"),
        ("../out", "../out"),
        ("my run", "my run"),
        ("r$(touch pwned)", "r$(touch pwned)"),
        ("it's [1] & <2>", "it's [1] & <2>"),
    ],
)
def test_any_other_name_is_a_folder(value, expected):
    assert folders.own_folder("results", value) == expected


@pytest.mark.parametrize("value", ["-rf", "@file"])
def test_name_that_looks_like_an_option_becomes_a_whole_path(value):
    assert folders.own_folder("results", value) == str(Path.cwd() / value)


def test_folder_below_the_project_or_the_home_is_ones_own(places):
    for value in (places / "home/me/results", places / "code/project/results"):
        assert folders.own_folder("results", str(value)) == str(value)
