"""Where a workflow's jobs run: a profile, a folder with Snakemake's options, and with what jobs ask a cluster for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reproduce.batch.resources import Cluster
from snnlib.checks import InputError, one_of, short, shown
from snnlib.store.paths import ROOT

PROFILES = ROOT / "profiles"
CONFIG = "config.yaml"


@dataclass(frozen=True)
class Profile:
    """A profile.

    Attributes:
        folder: that of its files.
        options: Snakemake's, by name.
        cluster: how jobs go to a cluster; None if they stay on this machine.
    """

    folder: Path
    options: dict[str, Any]
    cluster: Cluster | None

    @property
    def executor(self) -> str:
        """Who runs the jobs, by Snakemake's name: local, slurm, ..."""
        return str(self.options.get("executor", "local"))

    @property
    def resources(self) -> list[str]:
        """What jobs may take of this machine all together, as ``name=amount``."""
        found = self.options.get("resources", [])
        return [f"{k}={v}" for k, v in found.items()] if isinstance(found, dict) else [str(entry) for entry in found]


def load_profile(given: str = "local") -> Profile:
    """A profile by its name in ``profiles/``, or by the path of its folder.

    Raises:
        InputError: there is none of that name, or something in it cannot be used.
    """
    try:
        folder = Path(given).expanduser() if _is_path(given) else PROFILES / given
        there = (folder / CONFIG).is_file()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~somebody
        raise InputError(f"profile = {shown(given)}: {short(str(error), 300)}") from None
    if not there:
        if _is_path(given):
            raise InputError(f"profile = {shown(given)}: must be a folder with a {CONFIG}")
        one_of("profile", given, [path.parent.name for path in sorted(PROFILES.glob(f"*/{CONFIG}"))])
    folder = folder.resolve()
    options = _read(folder / CONFIG)
    profile = Profile(folder, options, _cluster(folder, options))
    plugin = f"snakemake-executor-plugin-{profile.executor}"
    if profile.executor != "local" and find_spec(plugin.replace("-", "_")) is None:
        how = "--editable '.[slurm]'" if profile.executor == "slurm" else plugin
        raise InputError(f"profile = {shown(given)}: needs {plugin}, which is not installed: pip install {how}")
    return profile


def _is_path(given: str) -> bool:
    return not given or "/" in given or "\\" in given or given.startswith((".", "~"))


def _cluster(folder: Path, options: Mapping[str, Any]) -> Cluster | None:
    """What the file says of it that the option ``configfile`` names."""
    if not options.get("configfile"):
        return None
    file = _beside(folder, options["configfile"])
    try:
        return Cluster.of(_read(file))
    except InputError as error:
        raise InputError(f"{file}: {str(error).removeprefix(f'{file}: ')}") from None


def _beside(folder: Path, name: object) -> Path:
    """A file that an option names, where Snakemake looks for it: in the profile, else from the repository."""
    beside = folder / str(name)
    return beside if beside.exists() else ROOT / str(name)


def _read(file: Path) -> dict[str, Any]:
    """A YAML file's table."""
    import yaml  # which Snakemake brings along; only batch work needs the `notebooks` extra

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{file}: {short(str(error), 300)}") from None
    if not isinstance(found, dict):
        raise InputError(f"{file}: must be a table of options, as profiles/slurm/{file.name} is")
    return found
