"""A stack for signal handlers, away from oneDNN's kernels.

Some of oneDNN's generated kernels hold an array's address in the stack pointer while they run.  A signal that comes
then has its frame, some three kilobytes, written below that address: over other arrays, or over the heap's own
records, so that the process dies a little later.  On an alternate stack the frame does no harm; Python asks for one
in all its handlers (SA_ONSTACK).  A signal to the process goes to its main thread, so that is where one is needed.
"""

from __future__ import annotations

import ctypes

NBYTES = 1 << 17  # a frame takes up to 12 kB with AMX; the rest is for what a handler calls
DISABLED = 2  # SS_DISABLE: the thread has no alternate stack


class Stack(ctypes.Structure):
    """stack_t of <signal.h>."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("nbytes", ctypes.c_size_t)]


_memory: list[ctypes.Array[ctypes.c_char]] = []  # in use by the system as long as the process lives


def give_signals_their_own_stack() -> None:
    """Let handlers of this thread run on an alternate stack, unless they have one."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = Stack()
    if libc.sigaltstack(None, ctypes.byref(found)) == 0 and found.flags & DISABLED:
        memory = ctypes.create_string_buffer(NBYTES)
        if libc.sigaltstack(ctypes.byref(Stack(ctypes.addressof(memory), 0, NBYTES)), None) == 0:
            _memory.append(memory)
