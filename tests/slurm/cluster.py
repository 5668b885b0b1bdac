"""A real SLURM of two nodes on loopback, without systemd and cgroups: controller, node daemons, accounting.

node1 has one GPU, declared and not there, and makes up the partition `gpu`; `cpu` has both nodes, node2 first.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd", "mariadb-install-db", "sacct")
ACCOUNT = "lab"
MARK = "SLIDECAF_TEST_CLUSTER"

SLURM_CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPidFile={folder}/pid/slurmctld
SlurmdPidFile={folder}/pid/slurmd-%n
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd-%n
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# without cgroups, memory is watched by sampling, and a job above its limit is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# no waiting for a next round of the scheduler
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=5,bf_interval=5
GresTypes=gpu
# CPUs and memory as declared, whatever the machine has: most of these jobs wait
SlurmdParameters=config_overrides
OverTimeLimit=0
KillWait=2
InactiveLimit=0
MinJobAge=600
ReturnToService=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={database_port}
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
# AuthInfo does not reach the connection to slurmdbd
AccountingStoragePass={folder}/munge/socket
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[0]} CPUs=4 RealMemory=60000 Gres=gpu:1 Weight=10
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=60000 Weight=1
PartitionName=cpu Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=node1 MaxTime=INFINITE State=UP
"""
GRES_CONF = "NodeName=node1 Name=gpu File=/dev/null\n"
SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={database_port}
SlurmUser=root
LogFile={folder}/log/slurmdbd
PidFile={folder}/pid/slurmdbd
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
"""


@contextmanager
def cluster():
    """Bring the cluster up, and take it down however the block ends."""
    remove_leftover()
    folder = Path(tempfile.mkdtemp(prefix="slidecaf-slurm-"))
    try:
        _up(folder)
        yield
    except BaseException:
        _say_logs(folder)
        raise
    finally:
        _down(folder)


def missing():
    """Return what keeps a cluster from being brought up here, or nothing."""
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    absent = [program for program in PROGRAMS if not shutil.which(program, path=_path())]
    return f"{', '.join(absent)} not installed: make test-slurm installs them" if absent else ""


def remove_leftover():
    """Take down the cluster of a run that was killed: its folder is where the configuration points."""
    link = CONFIGURATION / "slurm.conf"
    if link.is_symlink():
        folder = link.readlink().parent.parent
        if folder.name.startswith("slidecaf-slurm-"):
            _down(folder)


def run(*command, check=True, **options):
    """Run a command of SLURM; return what it printed."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=_environment(), check=False, **options
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def wait_for(what, holds, seconds=60, every=0.5):
    """Wait until a function returns something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(every)
    raise TimeoutError(f"gave up waiting for {what} after {seconds} s")


def _up(folder):
    os.environ[MARK] = str(folder)
    for name in ("etc", "log", "pid", "state", "munge", "mysql", "spool-node1", "spool-node2"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    host = socket.gethostname().partition(".")[0]
    controller, database, *nodes = _free_ports(4)
    values = {"folder": folder, "host": host, "controller_port": controller, "database_port": database, "ports": nodes}
    (folder / "etc/slurm.conf").write_text(SLURM_CONF.format(**values))
    (folder / "etc/gres.conf").write_text(GRES_CONF)
    (folder / "etc/slurmdbd.conf").write_text(SLURMDBD_CONF.format(**values))
    (folder / "etc/slurmdbd.conf").chmod(0o600)
    _link(folder)
    _start_munge(folder)
    _start_database(folder)
    run("slurmdbd")
    wait_for("slurmdbd", lambda: _works("sacctmgr", "-n", "list", "cluster"))
    run("sacctmgr", "-i", "add", "cluster", "loopback")
    run("sacctmgr", "-i", "add", "account", ACCOUNT, "Cluster=loopback")
    run("sacctmgr", "-i", "add", "user", "root", f"Account={ACCOUNT}", f"DefaultAccount={ACCOUNT}")
    run("slurmctld")
    wait_for("slurmctld", lambda: "is UP" in run("scontrol", "ping", check=False))
    for node in ("node1", "node2"):
        run("slurmd", "-N", node)
    wait_for("two idle nodes", lambda: run("sinfo", "-hN", "-p", "cpu", "-o", "%T").split() == ["idle", "idle"])


def _works(*command):
    return subprocess.run(command, capture_output=True, env=_environment(), check=False).returncode == 0


def _start_munge(folder):
    """Start an authentication service of the cluster's own."""
    key = folder / "munge/key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    named = {"key-file": "munge/key", "socket": "munge/socket", "pid-file": "pid/munged", "log-file": "log/munged"}
    options = [f"--{option}={folder / path}" for option, path in {**named, "seed-file": "munge/seed"}.items()]
    run("munged", *options, "--num-threads=2")
    wait_for("munged", lambda: run("munge", f"--socket={folder}/munge/socket", "-n", check=False))


def _start_database(folder):
    """Start a database on a socket, for what sacct tells."""
    data, mysql_socket = folder / "mysql/data", folder / "mysql/socket"
    own = ["--no-defaults", "--user=root", f"--datadir={data}"]
    run("mariadb-install-db", *own, "--auth-root-authentication-method=socket", "--skip-test-db")
    subprocess.Popen(
        [
            *("mariadbd", *own, f"--socket={mysql_socket}", f"--pid-file={folder}/pid/mariadbd"),
            *("--skip-networking", f"--tmpdir={folder}/mysql", f"--log-error={folder}/log/mariadbd"),
            *("--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0"),
        ],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    client = ("mariadb", "--no-defaults", "-S", mysql_socket, "-e")
    wait_for("mariadbd", lambda: run(*client, "select 1", check=False))
    run(*client, "create database slurm_acct_db")
    os.environ["MYSQL_UNIX_PORT"] = str(mysql_socket)  # from which slurmdbd takes the place of the socket


def _down(folder):
    """End every job and daemon of a cluster at once, since nothing they know is kept, and remove what it wrote."""
    os.environ.pop("MYSQL_UNIX_PORT", None)
    os.environ.pop(MARK, None)
    while found := _processes(folder):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
        link = CONFIGURATION / name
        if link.is_symlink() and link.readlink().parent.parent == folder:
            link.unlink()
    shutil.rmtree(folder)


def _processes(folder):
    """Return the processes that started with the cluster's mark: daemons, jobs, and what jobs left on a lost node."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


def _link(folder):
    """Put the configuration where srun looks for it: the plugin hides SLURM_CONF from the steps of its jobs."""
    CONFIGURATION.mkdir(exist_ok=True)
    for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
        link = CONFIGURATION / name
        if link.exists() and not link.is_symlink():
            raise RuntimeError(f"{link} is there already: this machine has a SLURM of its own, which stays untouched")
        link.unlink(missing_ok=True)
        link.symlink_to(folder / "etc" / name)


def _free_ports(count):
    with closing(socket.socket()) as first:
        others = [first, *(socket.socket() for _ in range(count - 1))]
        for each in others:
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in others]
        for each in others:
            each.close()
    return ports


def _path():
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _environment():
    return {**os.environ, "PATH": _path()}


def _say_logs(folder):
    for path in sorted((folder / "log").glob("*")):
        print(f"== {path.name}", *path.read_text(errors="replace").splitlines()[-15:], sep="\n")
