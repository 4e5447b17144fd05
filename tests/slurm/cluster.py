"""A real Slurm of one node, in a folder: its daemons are the distribution's own, its user is who starts it.

Without systemd, without accounting, and without root, once the packages are installed.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

PACKAGES = {"slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "munged": "munge"}  # by program
CPUS, GPUS, MEMORY = 4, 2, 64_000  # of the node, whatever the machine has; MiB

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=15
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=1
JobRequeue=0
MinJobAge=3600
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_interval=5
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
"""

# The plugin's job step drops SLURM_CONF, which a cluster has in /etc/slurm.
SRUN = """#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""


def missing() -> list[str]:
    """The packages of those programs that are not there."""
    return [package for program, package in PACKAGES.items() if _program(program) is None]


def install() -> str | None:
    """Have apt install what is missing; why not, if that cannot be."""
    if not missing():
        return None
    apt = shutil.which("apt-get")
    if apt is None:
        return f"needs {', '.join(missing())}, and there is no apt-get to install them"
    root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if root and shutil.which("sudo") is None:
        return f"needs {', '.join(missing())}: only root can install them"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *missing()]):
        done = subprocess.run([*root, apt, *command], env=environment, capture_output=True, text=True, timeout=300)
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return f"needs {', '.join(missing())}, and apt-get cannot install them: {last}" if missing() else None


class Cluster:
    """Slurm's daemons, and its commands; to be used in a `with`, which ends them.

    Attributes:
        environment: in which its commands, and all that calls them, are to be run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.host = folder, socket.gethostname().split(".")[0]
        for name in ("munge", "state", "spool", "bin"):
            (folder / name).mkdir(mode=0o700)
        for i in range(GPUS):
            (folder / f"gpu{i}").symlink_to("/dev/null")  # they must be devices
        controller, node = _free_ports(2)
        (folder / "slurm.conf").write_text(
            CONFIG.format(
                folder=folder, host=self.host, user=getpass.getuser(), cpus=CPUS, gpus=GPUS,
                memory=MEMORY, controller=controller, node=node,
            )
        )  # fmt: skip
        (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n")
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")  # slurmd needs it in a container
        (folder / "munge" / "key").write_bytes(secrets.token_bytes(128))
        (folder / "munge" / "key").chmod(0o600)
        (folder / "bin" / "srun").write_text(SRUN.format(folder=folder, srun=_program("srun")))
        (folder / "bin" / "srun").chmod(0o755)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
        self.environment = {
            **inherited,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        munge = self.folder / "munge"
        places = [f"--{kind}-file={munge / kind}" for kind in ("key", "pid", "log", "seed")]
        try:
            self._start("munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *places)
            until(lambda: (munge / "socket").exists(), 20, "munged")
            self._start("slurmctld", "-D", "-i")
            self._start("slurmd", "-D", "-N", self.host)
            until(lambda: self.state() == "idle", 60, "slurmd", self._logs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.SubprocessError, OSError, AssertionError):
            self("scancel", f"--user={getpass.getuser()}", "--signal=KILL", check=False)
            until(lambda: not self.queue(), 20, "jobs that end")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def __call__(self, *command: str, check: bool = True) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}"
        return done.stdout.strip()

    def state(self) -> str:
        """The node's, such as idle or mixed."""
        return self("sinfo", "--noheader", "--format=%T", "--partition=main", check=False)

    def queue(self, states: str = "") -> list[str]:
        """Numbers of the jobs that are not through, or in these states."""
        return self("squeue", "--noheader", "--format=%i", *([f"--states={states}"] if states else [])).split()

    def show(self, job: str) -> Mapping[str, str]:
        """What Slurm knows of a job, by its own words for it."""
        return dict(word.split("=", 1) for word in self("scontrol", "show", "job", job).split() if "=" in word)

    def _start(self, program: str, *arguments: str) -> None:
        path = _program(program)
        assert path is not None
        with open(self.folder / f"{program}.out", "wb") as log:
            self._daemons[program] = subprocess.Popen(
                [path, *arguments], env=self.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("*.out")))


def until(probe: Callable[[], object], seconds: float, what: str, why: Callable[[], str] = str) -> None:
    """Wait until the probe says yes."""
    end = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}\n{why()}"
        time.sleep(0.1)


def _program(name: str) -> str | None:
    """Its path; daemons lie where a user's PATH may not look."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
