"""The one door to numba: plain functions in, machine code out.

**On disk.** Compiled code is kept where numba can write (`__pycache__` beside the file, else the
user's cache, else what `NUMBA_CACHE_DIR` says), so only the first run pays for compiling. Nothing
depends on it: where no place is writable numba raises while a function is decorated, and here
that only means that this process compiles for itself; a kept file that cannot be read or written
later is passed over in the same way.

**Never stale.** numba holds a kept function to be fresh while *its own file* is unchanged. But
`step` calls `iteration_s`, which lives in `law.py`, and its machine code holds a copy of it: after
a change of `law.py` alone, numba would run the old law. So the key of a kept function carries a
digest of everything it was made of: its byte code and constants, those of every function and
every plain constant that it names, and that those name in turn, in whatever file, and the options
of the compiler.
The digest is taken when the function is first called, when all of that is known. A changed callee
is another key: the old code is never found, and goes when its own file next changes.
"""

import hashlib
import pickle
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, ParamSpec, TypeVar

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.cpu import CPUTargetOptions

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN: Final = (bool, int, float, str, bytes, tuple, type(None))


_PLAINLY: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}
"""Without the interpreter's lock; a division by zero gives inf or nan and does not raise. Floats
keep the order in which they are written (no fast mathematics): the same result on every run."""

_LEAN: Final[dict[str, Any]] = {**_PLAINLY, "forceinline": True} | (
    {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}
)
"""Made part of whatever calls it, and without counting who holds an array. numba counts up and
down, in atomic steps, each array of each record at each call: 30 times the work of a small
function. A caller holds what it passes, so only a function that makes or returns arrays must
count. numba keeps the option to itself: a release without it is slower and no less right."""

_INSIDE: Final[dict[str, Any]] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Without the way in from Python, which unpacks every array: half the time of compiling."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, compiled on its first call for the types it is called with."""
    return _kept(function, numba.njit(**_PLAINLY)(function))


def compiled_lean(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled for many calls; it must neither make nor return arrays."""
    return _kept(function, numba.njit(**_LEAN)(function))


def compiled_part(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled lean, for compiled code alone to call: Python cannot.

    It must neither make nor return arrays, and is kept on disk as part of what calls it.
    """
    return _inside(function, _LEAN)


def compiled_maker(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled for compiled code alone to call; it may make arrays."""
    return _inside(function, _PLAINLY)


def _inside(function: Callable[P, R], options: dict[str, Any]) -> Callable[P, R]:
    if numba.config.DISABLE_JIT:
        return function
    part: Callable[P, R] = numba.njit(**options, **_INSIDE)(function)
    return part


def source_digest(function: Callable[..., object]) -> str:
    """Return the SHA-256 of a function and of all compiled code and constants it reaches."""
    digest = hashlib.sha256(repr((_PLAINLY, _LEAN)).encode())
    waiting: list[object] = [_plain_function(function)]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            digest.update(f"{value.__module__}.{value.__qualname__}\n".encode())
            names = _absorb(value.__code__, digest)
            for name, named in _named(value, names):
                digest.update(f"{name}={_constant(named)}\n".encode())
                waiting.append(_plain_function(named))
    return digest.hexdigest()


def _plain_function(value: object) -> object:
    """Return the Python function inside a compiled one; anything else as it is."""
    return getattr(value, "py_func", value)


def _constant(value: object) -> str:
    """Return what compiled code would hold of a global, as text; "" of what it calls."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, np.dtype):
        return f"{value.descr if value.names else value.str}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    return repr(getattr(value, "_fields", ""))


def _absorb(code: CodeType, digest: Any) -> list[str]:
    """Add a code object and those nested in it to the digest; return the names that they use."""
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += _absorb(constant, digest)
        else:
            digest.update(repr(constant).encode())
    return names


def _named(function: FunctionType, names: list[str]) -> list[tuple[str, object]]:
    """Return what a function's names stand for: its globals, and attributes of its modules."""
    own = function.__globals__
    found = [(name, own[name]) for name in names if name in own]
    for name, value in tuple(found):
        if isinstance(value, ModuleType):
            found += [
                (f"{name}.{attribute}", getattr(value, attribute))
                for attribute in names
                if hasattr(value, attribute)
            ]
    for cell in function.__closure__ or ():
        found.append(("closure", cell.cell_contents))
    return found


class _DigestedCache(FunctionCache):  # type: ignore[misc]  # numba declares no types
    """numba's cache of one function, keyed on all that the function was made of as well."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), source_digest(self._py_func))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except (OSError, EOFError, ImportError, AttributeError, pickle.UnpicklingError):
            return None  # half a file, or another release's: compile afresh
        # two processes that keep different types of one function at the same moment can leave
        # an index that names the other's code
        wanted = getattr(sig, "args", sig)
        return found if found is None or tuple(found.signature.args) == tuple(wanted) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            return  # the disk is full or has become read-only: the code runs all the same


def _kept(function: Callable[P, R], dispatcher: Any) -> Callable[P, R]:
    """Return a compiled function whose code is kept on disk where there is a place for it."""
    if dispatcher is not function:  # the same where NUMBA_DISABLE_JIT is set
        with suppress(RuntimeError, OSError):  # no place is writable
            dispatcher._cache = _DigestedCache(function)
    kept: Callable[P, R] = dispatcher
    return kept
