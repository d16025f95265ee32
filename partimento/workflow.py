"""Run the workflow, with Snakemake and the settings of this project, and check its results."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import yaml
from cyclopts import Parameter

import pipeline

ROOT = Path(pipeline.__file__).resolve().parents[1]


CONFIG = Parameter(name=["--config", "--configfile"])  # the second is Snakemake's name for it
ELSEWHERE = ("--workflow-profile", "--executor", "--jobs", "-j", "-e")  # bring their own number


def run(
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    config: Annotated[list[str] | None, CONFIG] = None,
    cores: str | None = None,
    dry_run: Annotated[bool, Parameter(name=["--dry-run", "--dryrun", "-n"])] = False,
) -> None:
    """Run the workflow with Snakemake; re-running is incremental.

    Corrupt and truncated results and downloads are set aside first (see `verify`) and made again.
    Settings are laid over the defaults in the order given, a `config.yaml` of this folder first.

    Args:
        arguments: Targets, such as `data`, and any options of Snakemake.
        config: YAML files of settings, and single settings as KEY=VALUE.
        cores: How many cores to use; all, unless a profile of a cluster is named.
        dry_run: Only list the jobs that would run.

    Raises:
        ValueError: If a file of settings does not exist.
        SystemExit: With the exit code of Snakemake, if it fails.
    """
    options = [*settings(config or []), "--snakefile", str(ROOT / "Snakefile")]
    if not dry_run:
        _set_aside(config or [])
    elsewhere = any(word.split("=")[0] in ELSEWHERE for word in arguments)
    if not elsewhere:
        options += ["--workflow-profile", str(ROOT / "profiles/default")]
    if cores or not elsewhere:
        options += ["--cores", cores or "all"]
    if dry_run:
        options += ["--dry-run"]
    command = [sys.executable, "-m", "snakemake", *options, *arguments]
    if code := _finished(subprocess.Popen(command)):
        sys.exit(code)


def _finished(process: subprocess.Popen) -> int:
    """The exit code of a process, which ends by itself after Ctrl-C and SIGTERM.

    Snakemake then waits for its jobs and unlocks the folder; the terminal sends it Ctrl-C, too.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
    finally:
        signal.signal(signal.SIGTERM, before)


def show(key: str, *, config: Annotated[list[Path] | None, CONFIG] = None) -> None:
    """Print one setting of a run, for instance `results`: text as it is, anything else as JSON.

    Args:
        key: the setting's name, groups divided by dots: `collections.tunes.chunks`.
        config: YAML files of settings, as for `run`.

    Raises:
        ValueError: if there is no such setting, or if the settings do not fit.
    """
    from pipeline.planning import messages  # slow to import
    from pipeline.planning.settings import load

    found: object = load(config or [])
    for name in key.split("."):
        if not isinstance(found, dict) or name not in found:
            known = found if isinstance(found, dict) else []
            raise ValueError(messages.not_one_of(key, name, known))
        found = found[name]
    print(found if isinstance(found, str) else json.dumps(found))


def settings(config: list[str]) -> list[str]:
    """Give Snakemake's options for files of settings and settings as KEY=VALUE.

    Raises ValueError if a file does not exist.
    """
    files = [entry for entry in config if "=" not in entry]
    values = [entry for entry in config if "=" in entry]
    for file in files:
        if not Path(file).is_file():
            raise ValueError(f"{file}: no such file of settings; targets come before --config")
    options = ["--configfile", *files] if files else []
    return [*options, "--config", *values] if values else options


def verify(*, config: Annotated[list[Path] | None, CONFIG] = None, repair: bool = False) -> None:
    """Look for corrupt, truncated and incomplete files among results and downloads.

    Args:
        config: YAML files of settings, as for `run`.
        repair: Rename what was found to NAME.damaged, so that the next run makes it again. Nothing
            is deleted.

    Raises:
        SystemExit: With exit code 1 if something was found and not set aside.
    """
    from pipeline.describing import verify  # slow to import, and most runs of a command need it not

    verify.verify(config, repair)


def _set_aside(config: list[str]) -> None:
    """Have `verify` set aside what is corrupt, with settings as `run` takes them."""
    files = [Path(entry) for entry in config if "=" not in entry]
    values = dict(entry.split("=", 1) for entry in config if "=" in entry)
    with tempfile.TemporaryDirectory() as folder:
        if values:
            files.append(Path(folder, "values.yaml"))
            files[-1].write_text(yaml.safe_dump({k: _value(k, v) for k, v in values.items()}))
        verify(config=files, repair=True)


def _value(key: str, text: str) -> Any:
    """A setting of the command line. Raises ValueError if it is no YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{key}={text}: the value is not valid YAML ({why})") from None
