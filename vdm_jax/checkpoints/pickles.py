"""The pickles of torch files, read as data: a small machine in which nothing can be called.

A pickle is a program. Of its instructions those that build numbers, strings, lists, tuples and
dicts are carried out here; a global is its name and nothing more; and of calls there are a few, the
ones torch writes for tensors, parameters, dicts and the typed lists of TorchScript. An object of
TorchScript is a dict of its attributes. Anything else is refused by its name.
"""

import dataclasses
import io
import mmap
import pickletools
from collections.abc import Iterator
from typing import Any

TORCHSCRIPT = "__torch__"
"""The package that everything in a TorchScript archive is of."""
TYPED = {
    f"torch.jit._pickle.{name}"
    for name in (
        *("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"),
        "restore_type_tag",
    )
}
"""Calls that say of which type a list or a dict is, and return it."""
LARGEST = 2**22
"""Instructions of a pickle; a tensor takes about thirty."""


class Refused(ValueError):
    """A pickle that is damaged, or wants what data do not need."""


@dataclasses.dataclass(frozen=True)
class Global:
    """The name of something importable. It is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
    """A run of `count` elements that the file has elsewhere, under `key`."""

    kind: str
    key: str
    count: int


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """A tensor: elements of a storage from `offset` on, at these strides.

    dtype: None where the storage's kind says it.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str | None = None


class Module(dict[str, Any]):
    """The attributes of an object of TorchScript: of its code nothing is known or run."""


class _Mark:
    """What MARK leaves on the stack; a pickle cannot get hold of it."""


MARK = _Mark()


def read(file: io.BytesIO | mmap.mmap, folder: str = "") -> Any:
    """What the pickle at the position of `file` stands for; the position is then behind it.

    file: bytes in memory, or mapped: of a file, as much would be allocated as an instruction says.
    folder: what the keys of its storages begin with.

    The result is made of None, bool, int, float, str, bytes, list, tuple, dict, `Module`, `Global`,
    `Storage` and `View`.

    Raises:
      Refused: a damaged pickle, or an instruction that data do not need.
    """
    try:
        return _run(_instructions(file), folder)
    except Refused:
        raise
    except RecursionError:
        raise Refused("it is nested too deeply") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise Refused(f"its pickle is damaged ({type(error).__name__})") from None


def _instructions(file: io.BytesIO | mmap.mmap) -> Iterator[tuple[str, Any]]:
    found = pickletools.genops(file)  # pyright: ignore[reportArgumentType]: it reads and tells
    for count, (code, argument, _) in enumerate(found):
        if count > LARGEST:
            raise Refused(f"its pickle has more than {LARGEST:,} instructions")
        yield code.name, argument


def _run(instructions: Iterator[tuple[str, Any]], folder: str) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for name, argument in instructions:
        if name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in LITERALS:
            stack.append(argument)
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in ("PROTO", "FRAME"):
            pass
        elif name == "MARK":
            stack.append(MARK)
        elif name == "STOP":
            if len(stack) != 1:
                raise Refused("its pickle is damaged (it ends in the middle)")
            return stack[0]
        elif name == "MEMOIZE":
            memo[len(memo)] = _value(stack[-1])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = _value(stack[-1])
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(Global(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = _pop(stack), _pop(stack)
            if type(attribute) is not str or type(module) is not str:
                raise Refused("its pickle is damaged (a global without a name)")
            stack.append(Global(module, attribute))
        elif name == "BINPERSID":
            stack.append(_storage(_pop(stack), folder))
        elif name in ("TUPLE", "LIST", "DICT"):
            stack.append(MAKE[name](_to_mark(stack)))
        elif name in TUPLES:
            items = tuple(_pop(stack) for _ in range(TUPLES[name]))
            stack.append(items[::-1])
        elif name == "APPEND":
            item = _pop(stack)
            _of(stack[-1], list).append(item)
        elif name == "APPENDS":
            items = _to_mark(stack)
            _of(stack[-1], list).extend(items)
        elif name == "SETITEM":
            value, key = _pop(stack), _pop(stack)
            _fill(_of(stack[-1], dict), [key, value])
        elif name == "SETITEMS":
            items = _to_mark(stack)
            _fill(_of(stack[-1], dict), items)
        elif name == "REDUCE":
            arguments, function = _pop(stack), _pop(stack)
            stack.append(_call(function, _of(arguments, tuple)))
        elif name == "NEWOBJ":
            arguments, kind = _pop(stack), _pop(stack)
            stack.append(_object(kind, _of(arguments, tuple)))
        elif name == "BUILD":
            state = _pop(stack)
            if type(stack[-1]) is Module:
                _fill(stack[-1], [part for pair in _of(state, dict).items() for part in pair])
            else:  # what torch hangs on its dicts says nothing of the tensors
                _of(stack[-1], dict)
        elif name == "POP":
            stack.pop()
        else:
            raise Refused(f"its pickle does what data do not need ({name})")
    raise Refused("its pickle is damaged (it has no end)")


def _dict(items: list) -> dict:
    made: dict = {}
    _fill(made, items)
    return made


CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
MAKE = {"TUPLE": tuple, "LIST": list, "DICT": _dict}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _value(item: Any) -> Any:
    if item is MARK:
        raise Refused("its pickle is damaged (a mark is no value)")
    return item


def _pop(stack: list) -> Any:
    return _value(stack.pop())


def _to_mark(stack: list) -> list:
    """What is on the stack down to the last mark."""
    index = len(stack) - 1
    while stack[index] is not MARK:
        index -= 1
        if index < 0:
            raise IndexError
    items = stack[index + 1 :]
    del stack[index:]
    return items


def _of(item: Any, kind: type) -> Any:
    if type(item) is not kind:
        raise Refused(f"its pickle is damaged (a {type(item).__name__} for a {kind.__name__})")
    return item


def _fill(target: dict, items: list) -> None:
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Keys are compared and hashed, which is work that a nested key could make endless.
        if type(key) not in (str, int, float, bool, Global, type(None)):
            raise Refused(f"its pickle has a {type(key).__name__} as a key")
        target[key] = value


def _object(kind: Any, arguments: tuple) -> Module:
    if type(kind) is not Global or kind.module.partition(".")[0] != TORCHSCRIPT or arguments:
        raise Refused(f"its pickle does what data do not need (NEWOBJ of {str(kind)!r:.100})")
    return Module()


def _storage(item: Any, folder: str) -> Storage:
    """A persistent id of torch: ("storage", kind, key, device, count), and a view in old files."""
    if type(item) is not tuple or len(item) not in (5, 6) or item[0] != "storage":
        raise Refused("its pickle refers to something that is not a storage")
    _, kind, key, _, count, *view = item
    if any(part is not None for part in view):
        raise Refused("it has storages that are parts of others, as torch 0.3 wrote them")
    if type(kind) is not Global or type(key) is not str or not _natural(count):
        raise Refused("its pickle is damaged (a storage that is none)")
    return Storage(str(kind), folder + key, count)


def _call(function: Any, arguments: tuple) -> Any:
    if type(function) is not Global:
        raise Refused("its pickle is damaged (a call of what is no function)")
    name = str(function)
    if name == "collections.OrderedDict":
        pairs = _of(arguments[0], list) if arguments else []
        return _dict([part for pair in pairs for part in _two(pair)])
    if name in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        return _view(*arguments[:4])
    if name == "torch._utils._rebuild_tensor_v3":
        return dataclasses.replace(_view(*arguments[:4]), dtype=str(_of(arguments[6], Global)))
    if name == "torch._utils._rebuild_parameter":
        return _of(arguments[0], View)
    if name in TYPED:
        return arguments[0]
    if name == "torch.Size":
        return tuple(_of(arguments[0], tuple))
    raise Refused(f"it wants to call {name!r:.100}, and files of weights call nothing")


def _two(pair: Any) -> tuple[Any, Any]:
    if type(pair) not in (tuple, list) or len(pair) != 2:
        raise Refused("its pickle is damaged (a pair that is none)")
    return pair[0], pair[1]


def _view(storage: Any, offset: Any, shape: Any, strides: Any) -> View:
    good = type(storage) is Storage and type(shape) is tuple and type(strides) is tuple
    if not good or len(shape) != len(strides) or not all(map(_natural, (offset, *shape, *strides))):
        raise Refused("its pickle is damaged (a tensor that is none)")
    return View(storage, offset, shape, strides)


def _natural(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63
