"""Runs inside the sandbox: locks itself in, runs each program alone, says which ones came to their end.

Read as a file by `sandbox`, never imported, so it uses the standard library only. Standard input is one JSON
object (`folder`, `limits`, `programs`); standard output is one JSON line a program.
"""

import ctypes
import json
import math
import os
import resource
import secrets
import select
import signal
import struct
import sys
import time
import traceback

REFUSED = 3
NEW_NAMESPACES = 0x10000000 | 0x40000000 | 0x00020000 | 0x08000000 | 0x20000000
"""User, network, mount, IPC and process namespaces (clone flags of Linux)."""
MOUNT_SETATTR, RECURSIVE, PRIVATE = 442, 0x8000, 1 << 18
READ_ONLY, NO_SETUID, NO_DEVICES, DETACH = 1, 2, 4, 2
CLONE3, CLONE_THREAD = 435, 0x10000
CALLS = {
    "x86_64": (0xC000003E, 56, (57, 58, 41, 101, 165, 166, 272, 308, 310, 311, 425)),
    "aarch64": (0xC00000B7, 220, (198, 117, 40, 39, 97, 268, 270, 271, 425)),
}
"""Machine → its architecture, its `clone`, and what is refused: fork, vfork, socket, ptrace, mount, umount,
unshare, setns, process_vm_readv, process_vm_writev, io_uring_setup (numbers of Linux)."""
DETAIL = 400
RAISED = frozenset({"failed", "broken", "memory", "error"})
MOST_SAID = 1 << 16

libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Locks in, forks the namespace's first process, and waits for it."""
    order = json.loads(sys.stdin.read())
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        enter_namespaces()
        child = os.fork()  # the first one in the new process namespace: with it all others end
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        lock_files(order["folder"])
        refuse = call_filter(os.uname().machine)
    except OSError as error:
        sys.stderr.write(str(error))
        sys.stderr.flush()
        os._exit(REFUSED)
    for program in order["programs"]:
        empty(order["folder"])
        sys.stdout.write(json.dumps(run(program, order["limits"], refuse, nothing)) + "\n")
        sys.stdout.flush()
    os._exit(0)


def called(result: int, what: str) -> None:
    """Raises the error of a system call."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_namespaces() -> None:
    """New namespaces, in which the user is itself alone."""
    user, group = os.getuid(), os.getgid()
    called(libc.unshare(NEW_NAMESPACES), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123  # nothing else is needed
            file.write(text)


def lock_files(folder: str) -> None:
    """All files read-only and no devices; /proc of this namespace alone; the folder empty, in memory."""
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SETUID | NO_DEVICES, 0, PRIVATE, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    called(libc.syscall(MOUNT_SETATTR, -100, b"/", RECURSIVE, attributes, size), "mount_setattr")
    try:
        mount("proc", "/proc")
    except OSError:  # where parts of /proc are hidden a new one cannot be had; then there is none at all
        mount("tmpfs", "/proc")
    mount("tmpfs", folder)


def empty(folder: str) -> None:
    """The folder anew, and this process in it: nothing that a program wrote is there for the next one."""
    os.chdir("/")
    called(libc.umount2(folder.encode(), DETACH), "umount2")
    mount("tmpfs", folder, f"size={64 << 20},nr_inodes=1000")
    os.chdir(folder)


def mount(kind: str, place: str, data: str = "") -> None:
    """A new file system at a place."""
    done = libc.mount(kind.encode(), place.encode(), kind.encode(), ctypes.c_ulong(NO_SETUID), data.encode())
    called(done, f"mount {kind}")


def call_filter(machine: str) -> bytes:
    """A program of seccomp that refuses new processes (threads may be had), sockets and ways out.

    Raises:
        OSError: the numbers of this machine's system calls are not known here.
    """
    if machine not in CALLS:
        raise OSError(f"seccomp: machine {machine!r} is not known; {' and '.join(CALLS)} are")
    architecture, clone, refused = CALLS[machine]
    load, equal, above, bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow, not_permitted, no_such_call = 0x80000000, 0x7FFF0000, 0x00050001, 0x00050026
    after = len(refused)  # instructions from the first of `refused` to behind the last
    lines = [
        (load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill),
        (load, 0, 0, 0), (above, after + 4, 0, 0x40000000), (equal, after + 4, 0, CLONE3),
        *((equal, after - place + 2, 0, call) for place, call in enumerate(refused)),
        (equal, 0, 4, clone), (load, 0, 0, 16), (bits, 2, 0, CLONE_THREAD),
        (give, 0, 0, not_permitted), (give, 0, 0, no_such_call), (give, 0, 0, allow),
    ]  # fmt: skip
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def run(program: list[str], limits: dict[str, float], refuse: bytes, nothing: int) -> dict[str, str]:
    """What became of one program: parts that run one after another with common names."""
    told_in, told_out = os.pipe()
    token = secrets.token_hex(16)
    child = os.fork()
    if not child:
        os.close(told_in)
        confine(limits, refuse, nothing)
        finish(program, told_out, token)
    os.close(told_out)
    waited = limits["waited_seconds"]
    said = heard(told_in, time.monotonic() + waited)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if said is None:
        return {"status": "timeout", "detail": f"no end within {waited:g} s"}
    if not said and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return {"status": "timeout", "detail": f"no end within {limits['seconds']:g} s of the processor"}
    if said == token:
        return {"status": "passed", "detail": ""}
    kind, _, told = said.partition(" ")
    return (
        {"status": kind, "detail": told}
        if kind in RAISED
        else {"status": "killed", "detail": ended_by(status)}
    )


def confine(limits: dict[str, float], refuse: bytes, nothing: int) -> None:
    """Limits, no rights, no calls that lead out; what is printed goes nowhere, and nothing can be read."""
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for name, value in (
        ("RLIMIT_CPU", math.ceil(limits["seconds"])),
        ("RLIMIT_AS", int(limits["memory_mb"]) << 20),
        ("RLIMIT_FSIZE", int(limits["file_mb"]) << 20),
        ("RLIMIT_NOFILE", 64),
        ("RLIMIT_CORE", 0),
    ):
        resource.setrlimit(getattr(resource, name), (value, value + (name == "RLIMIT_CPU")))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # too long a file is an OSError
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    called(libc.capset(header, none), "capset")
    called(libc.prctl(38, 1, 0, 0, 0), "prctl: no new privileges")
    code = ctypes.create_string_buffer(refuse, len(refuse))
    rules = struct.pack("HxxxxxxP", len(refuse) // 8, ctypes.addressof(code))
    called(libc.prctl(22, 2, rules, 0, 0), "prctl: seccomp")


def finish(program: list[str], out: int, token: str) -> None:
    """Runs the parts and tells the token, which they do not know, or what they raised.

    Leaving by `sys.exit` ends the process without a word, as it must: that is no end of a test.
    """

    def tell(kind: type[BaseException], error: BaseException, *_: object) -> None:
        line = " ".join("".join(traceback.format_exception_only(kind, error)).split())
        os.write(out, f"{status_of(error)} {line[-DETAIL:]}".encode("utf-8", "replace"))
        os._exit(0)

    sys.excepthook = tell
    names: dict[str, object] = {"__name__": "__main__"}
    for number, part in enumerate(program):
        exec(compile(part, f"part {number}", "exec"), names)  # noqa: S102  # this is what the file is for
    os.write(out, token.encode())
    os._exit(0)


def heard(source: int, deadline: float) -> str | None:
    """What the program's process says before it ends; None where the time is over."""
    said = b""
    while len(said) < MOST_SAID:
        ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.close(source)
            return None
        piece = os.read(source, 1 << 12)
        if not piece:
            break
        said += piece
    os.close(source)
    return said.decode("utf-8", "replace")


def status_of(error: BaseException) -> str:
    """`failed` where an assertion did not hold; else what kind of error it was."""
    if isinstance(error, AssertionError):
        return "failed"
    if isinstance(error, SyntaxError):
        return "broken"
    return "memory" if isinstance(error, MemoryError) else "error"


def ended_by(status: int) -> str:
    """Why a process ended that said nothing."""
    code = os.waitstatus_to_exitcode(status)
    return f"ended by signal {-code}" if code < 0 else f"left with code {code} before its end"


if __name__ == "__main__":
    sys.exit(main())
