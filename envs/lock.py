"""Write the exact versions of all packages, those that others bring too: `make lock`.

`requirements.lock` has them for developers and clusters, on any platform; the conda environments
have, below the packages that each names, what these bring, at the same versions.
"""

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
REQUIREMENTS = ("requirements-dev.txt", "requirements-cluster.txt")
HEADER = (
    "# Exact versions of everything, also of what is only brought along; `make lock` writes it.\n"
)
BROUGHT = "      # brought along, as in requirements.lock; `make lock` writes what follows\n"


def resolve(*arguments: str, requirements: str | None = None) -> list[str]:
    """Lines `name==version; marker` that uv finds for a requirements file, or for its text."""
    command = ["uv", "pip", "compile", "--universal", "--python-version", "3.11", "--quiet"]
    done = subprocess.run(
        [*command, "--no-annotate", "--no-header", *arguments],
        cwd=ROOT, input=requirements, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def lock() -> None:
    """Write `requirements.lock`; what it pins already stays while the requirements allow it."""
    known = ["--constraints", LOCK.name] if LOCK.exists() else []
    LOCK.write_text(HEADER + "\n".join(resolve(*REQUIREMENTS, *known)) + "\n")


def lock_environment(path: Path) -> None:
    """Rewrite the part of a conda environment below the packages that it names."""
    named, _, _ = path.read_text().partition(BROUGHT)
    (pip,) = [e["pip"] for e in yaml.safe_load(named)["dependencies"] if isinstance(e, dict)]
    found = resolve("-", "--constraints", LOCK.name, requirements="\n".join(pip))
    own = {line.partition("==")[0].partition("[")[0].lower().replace("_", "-") for line in pip}
    brought = [line for line in found if line.partition("==")[0].partition("[")[0] not in own]
    path.write_text(named + BROUGHT + "".join(f"      - {line}\n" for line in brought))


def main() -> None:
    lock()
    for path in sorted((ROOT / "envs").glob("*.yaml")):
        lock_environment(path)


if __name__ == "__main__":
    main()
