"""A safe reader for the pickles of PyTorch files, which executes no code.

A pickle is a program. This reader executes the instructions that build numbers, strings, lists,
tuples and dicts. A global is only its name. The supported calls are those that torch writes for
tensors, parameters, dicts and the typed lists of TorchScript. A TorchScript object is a dict of its
attributes. Everything else is an error with its name.
"""

import dataclasses
import io
import mmap
import pickletools
from collections.abc import Iterator
from typing import Any

TORCHSCRIPT = "__torch__"
"""The package of all classes in a TorchScript archive."""
TYPED = {
    f"torch.jit._pickle.{name}"
    for name in (
        *("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"),
        "restore_type_tag",
    )
}
"""Calls that annotate the type of a list or a dict and return it."""
MAX_INSTRUCTIONS = 2**22
"""Limit for the instructions of a pickle; a tensor takes about thirty."""


class InvalidTorchFile(ValueError):
    """A PyTorch file that is damaged, or has instructions that weights do not need."""


@dataclasses.dataclass(frozen=True)
class Global:
    """The name of an importable object, which is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
    """A reference to a storage in the file.

    kind: torch's name of its class.
    key: its name in the file.
    count: number of elements.
    """

    kind: str
    key: str
    count: int


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """A tensor as a view of a storage.

    storage: its elements.
    offset: index of the first element.
    shape, strides: in elements.
    dtype: torch's name; None if the storage's kind implies it.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str | None = None


class Module(dict[str, Any]):
    """The attributes of a TorchScript object; its code is neither read nor run."""


class _Mark:
    """The value that MARK pushes; a pickle cannot use it as a value."""


MARK = _Mark()


def read(file: io.BytesIO | mmap.mmap, folder: str = "") -> Any:
    """The value of the pickle at the position of `file`, which moves to the end of the pickle.

    file: in memory or memory-mapped; with an ordinary file, a false length in an instruction would
      allocate that much memory.
    folder: prefix of the keys of its storages.

    The value consists of None, bool, int, float, str, bytes, list, tuple, dict, `Module`, `Global`,
    `Storage` and `View`.

    Raises:
      InvalidTorchFile: a damaged pickle, or an unsupported instruction.
    """
    try:
        return _run(_instructions(file), folder)
    except InvalidTorchFile:
        raise
    except RecursionError:
        raise InvalidTorchFile("it is nested too deeply") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise InvalidTorchFile(f"its pickle is damaged ({type(error).__name__})") from None


def _instructions(file: io.BytesIO | mmap.mmap) -> Iterator[tuple[str, Any]]:
    operations = pickletools.genops(file)  # pyright: ignore[reportArgumentType]: mmap is file-like
    for count, (code, argument, _) in enumerate(operations):
        if count > MAX_INSTRUCTIONS:
            raise InvalidTorchFile(f"its pickle has more than {MAX_INSTRUCTIONS:,} instructions")
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
                raise InvalidTorchFile("its pickle is damaged (it stops with several values)")
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
                raise InvalidTorchFile("its pickle is damaged (a global without a name)")
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
            _expect(stack[-1], list).append(item)
        elif name == "APPENDS":
            items = _to_mark(stack)
            _expect(stack[-1], list).extend(items)
        elif name == "SETITEM":
            value, key = _pop(stack), _pop(stack)
            _fill(_expect(stack[-1], dict), [key, value])
        elif name == "SETITEMS":
            items = _to_mark(stack)
            _fill(_expect(stack[-1], dict), items)
        elif name == "REDUCE":
            arguments, function = _pop(stack), _pop(stack)
            stack.append(_call(function, _expect(arguments, tuple)))
        elif name == "NEWOBJ":
            arguments, kind = _pop(stack), _pop(stack)
            stack.append(_object(kind, _expect(arguments, tuple)))
        elif name == "BUILD":
            state = _pop(stack)
            if type(stack[-1]) is Module:
                _fill(stack[-1], [part for pair in _expect(state, dict).items() for part in pair])
            else:  # attributes of dicts, which do not affect the tensors
                _expect(stack[-1], dict)
        elif name == "POP":
            stack.pop()
        else:
            raise InvalidTorchFile(f"its pickle has an unsupported instruction ({name})")
    raise InvalidTorchFile("its pickle is damaged (it has no end)")


def _dict(items: list) -> dict:
    result: dict = {}
    _fill(result, items)
    return result


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
        raise InvalidTorchFile("its pickle is damaged (a mark used as a value)")
    return item


def _pop(stack: list) -> Any:
    return _value(stack.pop())


def _to_mark(stack: list) -> list:
    """Pops the values above the last mark, and the mark."""
    index = len(stack) - 1
    while stack[index] is not MARK:
        index -= 1
        if index < 0:
            raise IndexError
    items = stack[index + 1 :]
    del stack[index:]
    return items


def _expect(item: Any, kind: type) -> Any:
    if type(item) is not kind:
        raise InvalidTorchFile(
            f"its pickle is damaged (a {type(item).__name__} instead of a {kind.__name__})"
        )
    return item


def _fill(target: dict, items: list) -> None:
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Keys are hashed and compared: a nested key could make that take forever.
        if type(key) not in (str, int, float, bool, Global, type(None)):
            raise InvalidTorchFile(f"its pickle has a key of type {type(key).__name__}")
        target[key] = value


def _object(kind: Any, arguments: tuple) -> Module:
    if type(kind) is not Global or kind.module.partition(".")[0] != TORCHSCRIPT or arguments:
        raise InvalidTorchFile(f"its pickle creates an unsupported object ({str(kind)!r:.100})")
    return Module()


def _storage(item: Any, folder: str) -> Storage:
    """A storage from torch's persistent id: ("storage", kind, key, device, count[, view])."""
    if type(item) is not tuple or len(item) not in (5, 6) or item[0] != "storage":
        raise InvalidTorchFile("its pickle has a persistent id that is no storage")
    _, kind, key, _, count, *view = item
    if any(part is not None for part in view):
        raise InvalidTorchFile(
            "it has storages that are views of others (torch 0.3), which are not supported"
        )
    if type(kind) is not Global or type(key) is not str or not _is_natural(count):
        raise InvalidTorchFile("its pickle is damaged (an invalid storage)")
    return Storage(str(kind), folder + key, count)


def _call(function: Any, arguments: tuple) -> Any:
    if type(function) is not Global:
        raise InvalidTorchFile("its pickle is damaged (a call of a value)")
    name = str(function)
    if name == "collections.OrderedDict":
        pairs = _expect(arguments[0], list) if arguments else []
        return _dict([part for pair in pairs for part in _pair(pair)])
    if name in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        return _view(*arguments[:4])
    if name == "torch._utils._rebuild_tensor_v3":
        return dataclasses.replace(_view(*arguments[:4]), dtype=str(_expect(arguments[6], Global)))
    if name == "torch._utils._rebuild_parameter":
        return _expect(arguments[0], View)
    if name in TYPED:
        return arguments[0]
    if name == "torch.Size":
        return tuple(_expect(arguments[0], tuple))
    raise InvalidTorchFile(
        f"its pickle calls {name!r:.100}, which is not supported: only weights are read"
    )


def _pair(pair: Any) -> tuple[Any, Any]:
    if type(pair) not in (tuple, list) or len(pair) != 2:
        raise InvalidTorchFile("its pickle is damaged (an invalid pair)")
    return pair[0], pair[1]


def _view(storage: Any, offset: Any, shape: Any, strides: Any) -> View:
    good = type(storage) is Storage and type(shape) is tuple and type(strides) is tuple
    if (
        not good
        or len(shape) != len(strides)
        or not all(map(_is_natural, (offset, *shape, *strides)))
    ):
        raise InvalidTorchFile("its pickle is damaged (an invalid tensor)")
    return View(storage, offset, shape, strides)


def _is_natural(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63
