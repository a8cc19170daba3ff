"""A filter of system calls for the sandbox: what configuration code never needs, and what flaws of
kernels have come through, is answered with “not permitted”.

Written as the small program of the kernel's packet filter that seccomp(2) takes. The namespaces
hold without it; it takes away what could be tried against them.
"""

from __future__ import annotations

import platform
import struct
from typing import NamedTuple

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_NAMESPACES = 0x7E020000 | 0x80  # every CLONE_NEW… flag
_X32 = 0x40000000  # the second set of call numbers on x86_64


class _Calls(NamedTuple):
    """Numbers of one processor, from the kernel's tables (syscall_64.tbl, unistd.h)."""

    architecture: int
    clone: int
    network: tuple[int, ...]
    """socket socketpair connect bind listen"""
    namespaces: tuple[int, ...]
    """unshare setns mount umount2 pivot_root chroot"""
    memory: tuple[int, ...]
    """memfd_create, shmget msgget semget mq_open: memory that is no process's own, so that limits
    of each process by itself do not count it"""
    kernel: tuple[int, ...]
    """ptrace process_vm_readv process_vm_writev bpf perf_event_open userfaultfd, add_key
    request_key keyctl, kexec_load kexec_file_load init_module finit_module delete_module,
    open_by_handle_at fanotify_init quotactl swapon reboot acct"""


_X86 = (101, 310, 311, 321, 298, 323, 248, 249, 250, 246, 320, 175, 313, 176, 304, 300, 179, 167)
_ARM = (117, 270, 271, 280, 241, 282, 217, 218, 219, 104, 294, 105, 273, 106, 265, 262, 60, 224)
_CALLS = {
    "x86_64": _Calls(
        0xC000003E,
        56,
        (41, 53, 42, 49, 50),
        (272, 308, 165, 166, 155, 161),
        (319, 29, 68, 64, 240),
        (*_X86, 169, 163),
    ),
    "aarch64": _Calls(
        0xC00000B7,
        220,
        (198, 199, 203, 200, 201),
        (97, 268, 40, 39, 41, 51),
        (279, 194, 186, 190, 180),
        (*_ARM, 142, 89),
    ),
}
# Since Linux 5.1 all processors share numbers: io_uring_setup, _enter and _register; open_tree to
# fspick, mount_setattr: the newer family of mount calls; memfd_secret.
_SHARED = (425, 426, 427, *range(428, 434), 442, 447)
_CLONE3 = 435


def sandbox_filter(machine: str | None = None) -> bytes | None:
    """The filter for this machine's processor; None when its numbers are not known here."""
    calls = _CALLS.get(machine or platform.machine())
    if calls is None:
        return None
    program = [
        _word(_LOAD, _ARCHITECTURE),
        _word(_JUMP_EQUAL, calls.architecture, 1, 0),
        _word(_RETURN, _KILL),
        _word(_LOAD, _NUMBER),
        _word(_JUMP_AT_LEAST, _X32, 0, 1),
        _word(_RETURN, _REFUSE | _ENOSYS),
    ]
    for number in (*calls.network, *calls.namespaces, *calls.memory, *calls.kernel, *_SHARED):
        program += [_word(_JUMP_EQUAL, number, 0, 1), _word(_RETURN, _REFUSE | _EPERM)]
    # Its flags lie in memory, out of a filter's sight; the C library falls back to clone.
    program += [
        _word(_JUMP_EQUAL, _CLONE3, 0, 1),
        _word(_RETURN, _REFUSE | _ENOSYS),
        _word(_JUMP_EQUAL, calls.clone, 0, 3),
        _word(_LOAD, _ARGUMENT),
        _word(_JUMP_SET, _NAMESPACES, 0, 1),
        _word(_RETURN, _REFUSE | _EPERM),
        _word(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def _word(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
