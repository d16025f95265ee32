"""The pins of requirements.txt, of the lock and of the conda environments agree."""

from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def pins(lines: list[str]) -> dict[str, str]:
    """Map each package's name to its whole requirement; comments and `-r` lines are skipped."""
    requirements = [line for line in lines if line and not line.startswith(("#", "-"))]
    return {Requirement(line).name: str(Requirement(line)) for line in requirements}


def pip_lines(environment: Path, text: str | None = None) -> list[str]:
    """Return what the pip section of a conda environment, or of some text of it, installs."""
    dependencies = yaml.safe_load(text or environment.read_text())["dependencies"]
    (section,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    return section


def locked() -> dict[str, str]:
    """Exact version by name, as far as the lock speaks of this platform."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [r for r in found if r.marker is None or r.marker.evaluate()]
    return {r.name: str(r.specifier).removeprefix("==") for r in here}


def direct(environment: Path) -> list[str]:
    """What a conda environment installs by itself, above what these bring along."""
    return pip_lines(environment, environment.read_text().partition("# brought along")[0])


REQUIRED = pins((ROOT / "requirements.txt").read_text().splitlines())


def test_every_requirement_is_pinned_to_one_version():
    files = ("requirements-dev.txt", "requirements-cluster.txt")
    more = [line for name in files for line in (ROOT / name).read_text().splitlines()]
    for requirement in (REQUIRED | pins(more)).values():
        (specifier,) = Requirement(requirement).specifier
        assert specifier.operator == "==", requirement
        assert "*" not in specifier.version, requirement


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_has_the_pins_of_the_requirements(environment):
    for name, requirement in pins(direct(environment)).items():
        assert requirement == REQUIRED[name]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_is_locked_as_the_virtual_environment_is(environment):
    lock = set((ROOT / "requirements.lock").read_text().splitlines())
    brought = set(pip_lines(environment)) - set(direct(environment))
    assert len(brought) > 20
    assert {line.partition(" ;")[0] for line in brought} <= {
        line.partition(" ;")[0] for line in lock
    }


def test_lock_has_the_pins_of_the_requirements():
    lock = locked()
    for name, requirement in REQUIRED.items():
        marker = Requirement(requirement).marker
        if marker is None or marker.evaluate():
            assert str(Requirement(requirement).specifier) == f"=={lock[canonicalize_name(name)]}"


def test_lock_has_all_that_the_requirements_bring_along():
    """Read from the packages themselves, where they have the locked version: whoever has installed
    other packages, or other versions, is left in peace."""
    lock = locked()
    versions = {canonicalize_name(d.name): d.version for d in metadata.distributions()}
    left = [Requirement(requirement) for requirement in REQUIRED.values()]
    seen: set[tuple[str, str]] = set()
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen or versions.get(name, "").partition("+")[0] != lock.get(name):
                continue
            seen.add((name, extra))
            brought = [Requirement(line) for line in metadata.requires(name) or []]
            here = [r for r in brought if r.marker is None or r.marker.evaluate({"extra": extra})]
            lacking = {canonicalize_name(r.name) for r in here} - lock.keys()
            assert not lacking - {"pip", "setuptools"}, name
            left += here
    assert len(seen) > 50


def test_what_is_installed_without_its_dependencies_is_the_same_everywhere():
    """And works with the packages that we pin: it is imported here."""
    named = set(pins((ROOT / "requirements-no-deps.txt").read_text().splitlines()).values())
    script = (ROOT / "envs/learning.post-deploy.sh").read_text()
    (command,) = [line for line in script.splitlines() if "--no-deps" in line]
    assert {word for word in command.split() if "==" in word} == named
    for requirement in map(Requirement, named):
        assert metadata.version(requirement.name) in requirement.specifier
    from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw

    assert callable(sync_via_mrmsdtw)


def test_data_half_is_free_of_torch():
    data = pins(pip_lines(ROOT / "envs" / "data.yaml"))
    assert not {"torch", "lightning", "captum"} & data.keys()


def test_the_two_halves_cover_all_but_the_workflow():
    halves = {name for path in ENVIRONMENTS for name in pins(direct(path))}
    assert REQUIRED.keys() - halves == {"snakemake", "jsonschema", "pygments"}
