"""Forbid system calls to a program: no new processes, and nothing that no reader of scores needs.

The filter is classic BPF as the kernel's seccomp takes it. Unlike RLIMIT_NPROC it holds for root,
and it needs neither privileges nor namespaces.
"""

import platform
import struct
import subprocess
import sys
from functools import cache

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH
# Linux numbers of system calls on x86_64 and aarch64; None: there is no such call.
CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
REFUSED = {
    "fork": (57, None), "vfork": (58, None),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # other processes, and parts of the kernel that are seldom needed and often at fault
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
    # memory that no limit of a process counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
}  # fmt: skip
FAMILIES = (1, 2, 10)  # of sockets: AF_UNIX, AF_INET, AF_INET6; not AF_VSOCK, AF_ALG, AF_NETLINK
X32_CALLS = 0x40000000  # from here x86 counts all its calls again
CLONE_THREAD = 0x10000

# Operations of BPF, and what a filter may return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ARCH, _NUMBER, _ARGUMENT = 4, 0, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97


def rules() -> bytes | None:
    """The filter as a program of BPF; None for a machine whose system calls are not known here."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        return None
    column = list(ARCHITECTURES).index(platform.machine())
    refuse = (_RETURN, 0, 0, _ERRNO | _EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    words = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, ARCHITECTURES[platform.machine()]), refuse]
    words += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, X32_CALLS), refuse]
    for numbers in REFUSED.values():
        if numbers[column] is not None:
            words += [(_EQUAL, 0, 1, numbers[column]), refuse]
    # The C library turns to clone where clone3, whose flags no filter can read, is unknown.
    words += [(_EQUAL, 0, 1, CLONE3[column]), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    words += [(_EQUAL, 0, 4, CLONE[column]), (_LOAD, 0, 0, _ARGUMENT)]
    words += [(_ANY_BIT, 0, 1, CLONE_THREAD), allow, refuse]
    words += [(_EQUAL, 1, 0, SOCKET[column]), allow, (_LOAD, 0, 0, _ARGUMENT)]
    for family in FAMILIES:
        words += [(_EQUAL, 0, 1, family), allow]
    words += [(_RETURN, 0, 0, _ERRNO | _EAFNOSUPPORT)]
    return b"".join(struct.pack("=HBBI", *word) for word in words)


# Run by a Python of its own, because code between fork and exec could hang on a lock of a thread.
# PR_SET_PDEATHSIG (1), PR_SET_NO_NEW_PRIVS (38), PR_SET_SECCOMP (22, 2: a filter).
_LAUNCHER = """
import ctypes, os, sys
rules = bytes.fromhex(sys.argv[1])
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("words", ctypes.c_char_p)]
prctl = ctypes.CDLL(None, use_errno=True).prctl
prctl.argtypes = [ctypes.c_int] + 4 * [ctypes.c_void_p]
given = Filter(len(rules) // 8, rules)
if prctl(1, 9, 0, 0, 0) or prctl(38, 1, 0, 0, 0) or prctl(22, 2, ctypes.addressof(given), 0, 0):
    sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@cache
def launcher() -> tuple[str, ...]:
    """The start of a command that runs the rest of it under the filter, without bubblewrap.

    Empty if the system knows no such filter (tried once).
    """
    if (words := rules()) is None:
        return ()
    command = (sys.executable, "-I", "-S", "-c", _LAUNCHER, words.hex())
    tried = subprocess.run([*command, "/bin/sh", "-c", ":"], capture_output=True, check=False)
    return () if tried.returncode else command
