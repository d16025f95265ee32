"""The pins of requirements.txt and of the conda environments agree."""

from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def pins(lines: list[str]) -> dict[str, str]:
    """Map each package's name to its whole requirement; comments and `-r` lines are skipped."""
    requirements = [line for line in lines if line and not line.startswith(("#", "-"))]
    return {Requirement(line).name: str(Requirement(line)) for line in requirements}


def pip_lines(environment: Path) -> list[str]:
    """Return what the pip section of a conda environment installs."""
    dependencies = yaml.safe_load(environment.read_text())["dependencies"]
    (section,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    return section


REQUIRED = pins((ROOT / "requirements.txt").read_text().splitlines())


def test_every_requirement_is_pinned_to_one_version():
    developers = pins((ROOT / "requirements-dev.txt").read_text().splitlines())
    for requirement in (REQUIRED | developers).values():
        (specifier,) = Requirement(requirement).specifier
        assert specifier.operator == "==", requirement
        assert "*" not in specifier.version, requirement


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_has_the_pins_of_the_requirements(environment):
    for name, requirement in pins(pip_lines(environment)).items():
        assert requirement == REQUIRED[name]


def test_data_half_is_free_of_torch():
    data = pins(pip_lines(ROOT / "envs" / "data.yaml"))
    assert not {"torch", "lightning", "captum"} & data.keys()


def test_the_two_halves_cover_all_but_the_workflow():
    halves = {name for path in ENVIRONMENTS for name in pins(pip_lines(path))}
    assert REQUIRED.keys() - halves == {"snakemake", "pygments"}
