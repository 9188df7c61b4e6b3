"""Experiments as trees of frozen dataclasses: to JSON and back, and overridden by path.

A node of the tree is a dataclass (a linen module is one); a leaf is a number, a string, a bool or
`None`; branches with several children are tuples. A class is written as the name it is imported
by, so that files may move: `diffusion.Cosine`.
"""

import ast
import dataclasses
import difflib
import importlib
import importlib.util
import json
import os
import sys
import types
import typing
from pathlib import Path
from typing import Any

from vdm_jax.renames import RENAMED

PACKAGE = "vdm_jax"
LINEN = {"parent", "name"}  # fields that every linen module has and no experiment sets
MANY = 40  # names that a message can list


class ConfigError(ValueError):
    """An experiment that cannot be built, with the path, the value and the likely fix."""


def fields(node: Any) -> dict[str, dataclasses.Field]:
    """The fields of a dataclass that belong to the experiment, by name."""
    found = {f.name: f for f in dataclasses.fields(node) if f.init}
    if found.keys() >= LINEN:
        return {name: f for name, f in found.items() if name not in LINEN}
    return found


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """A clause that suggests what `name` was meant to be: the closest known name, or them all.

    Of more than `MANY`, only the first.
    """
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(known) - MANY} more" if len(known) > MANY else ""
    return f"known: {', '.join(known[:MANY])}{more}" if known else "there is none"


def _hint(cls: type, name: str) -> str:
    """What a field that `cls` does not have is called now, or was meant to be."""
    new = RENAMED.get(f"{class_name(cls)}.{name}")
    return f"it is called {new!r} now" if new else nearest(name, fields(cls))


def class_name(cls: type) -> str:
    """The name a class is imported by: `diffusion.Cosine` for `vdm_jax.diffusion.Cosine`."""
    package, _, rest = cls.__module__.partition(".")
    if package != PACKAGE:
        return f"{cls.__module__}.{cls.__qualname__}"
    name = f"{rest.split('.')[0]}.{cls.__qualname__}"
    if find_class(name) is not cls:
        raise ConfigError(f"{cls.__module__}.{cls.__qualname__} is not exported as {name}")
    return name


def find_class(name: str) -> type:
    """The dataclass called `name`, from this package or from a module already imported."""
    if name in RENAMED:
        raise ConfigError(f"{name} is called {RENAMED[name]} now")
    module_name, _, attribute = name.rpartition(".")
    try:  # this package first: `data` may also be the folder of the builders of data sets
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except (ImportError, ValueError):
        module = sys.modules.get(module_name)
    if module is None:
        raise ConfigError(f"no module {module_name!r} for class {name!r}; import it first")
    cls = getattr(module, attribute, None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        public = [k for k, v in vars(module).items() if dataclasses.is_dataclass(v)]
        raise ConfigError(f"no class {name!r}; {nearest(attribute, public)}")
    return cls


def to_json(node: Any) -> Any:
    """The tree as dicts, lists and leaves; the key `class` names the dataclass."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        values = {name: to_json(getattr(node, name)) for name in fields(node)}
        return {"class": class_name(type(node)), **values}
    if isinstance(node, tuple):
        return [to_json(child) for child in node]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise ConfigError(
        f"{node!r} ({type(node).__name__}) has no place in an experiment; "
        "use numbers, strings, tuples, None or frozen dataclasses"
    )


def from_json(data: Any) -> Any:
    """The tree that `to_json` wrote, in this or in an older version."""
    return _from_json(upgrade(data))


def upgrade(data: Any) -> Any:
    """A tree as JSON, with the old names of classes and fields replaced by those of `RENAMED`."""
    if isinstance(data, list):
        return [upgrade(child) for child in data]
    if not isinstance(data, dict):
        return data
    name = str(data.get("class", ""))
    kind = RENAMED.get(name, name)
    if kind is None:
        return None
    found: dict[str, Any] = {}
    for field, value in data.items():
        new = RENAMED.get(f"{kind}.{field}", field)
        leaf = isinstance(value, bool | int | float | str)
        old = f"{kind}.{new}={json.dumps(value)}" if leaf else ""
        found[new] = upgrade(RENAMED.get(old, value))
    return {**found, "class": kind} if name else found


def _from_json(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(_from_json(child) for child in data)
    if not isinstance(data, dict):
        return data
    if "class" not in data:
        raise ConfigError(f"an object without a 'class': {sorted(data)}")
    cls = find_class(data["class"])
    known = fields(cls)
    values = {name: _from_json(value) for name, value in data.items() if name != "class"}
    for name in values:
        if name not in known:
            raise ConfigError(f"{data['class']} has no field {name!r}; {nearest(name, known)}")
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{data['class']}: {error}") from None


def load(
    path: str | os.PathLike, functions: typing.Sequence[str], assignments: typing.Sequence[str] = ()
) -> Any:
    """What a Python file's function makes, with fields overridden; the first of `functions` it has.

    Raises:
      ConfigError: no such file, no such function in it, or an override that does not fit.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        nearby = path.parent if path.parent.is_dir() else Path("experiments")
        known = [str(p) for p in sorted(nearby.rglob("*.py"))]
        raise ConfigError(f"no experiment file {path}; {nearest(str(path), known)}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for function in functions:
        if hasattr(module, function):
            node = getattr(module, function)()
            break
    else:
        raise ConfigError(f"{path} defines no function {'() or '.join(functions)}()")
    return override(node, *assignments)


def override(node: Any, *assignments: str) -> Any:
    """The tree with leaves replaced, in turn: `override(experiment, "task.model.channels=64")`.

    A value is read as a Python literal of the type that the field declares, or as an object as an
    experiment's file would make it: "sampling.sampler=diffusion.DDIM(steps=8)".

    Raises:
      ConfigError: an unknown name (with the nearest), or a value of the wrong type.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"{assignment!r} is not of the form path=value")
        node = _replace(node, path.strip().split("."), text.strip(), done=())
    return node


def _replace(node: Any, path: list[str], text: str, done: tuple[str, ...], declared: Any = Any):
    if not path:
        return _parse(text, declared, node, ".".join(done))
    head, *rest = path
    here = ".".join(done) or "the experiment"
    if isinstance(node, tuple):
        if not head.isdigit() or int(head) >= len(node):
            raise ConfigError(f"{here} has {len(node)} items; {head!r} is not an index of it")
        index = int(head)
        child = _replace(node[index], rest, text, (*done, head), _item(declared, index))
        return (*node[:index], child, *node[index + 1 :])
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        raise ConfigError(f"{here} is {node!r} and has no field {head!r}")
    known = fields(node)
    if head not in known:
        kind = type(node).__name__
        raise ConfigError(f"{here} ({kind}) has no field {head!r}; {_hint(type(node), head)}")
    child = _replace(getattr(node, head), rest, text, (*done, head), known[head].type)
    return dataclasses.replace(node, **{head: child})


def _item(declared: Any, index: int) -> Any:
    """The declared type of one item of a tuple."""
    items = [a for a in typing.get_args(declared) if a is not Ellipsis]
    return items[min(index, len(items) - 1)] if items else Any


def _parse(text: str, declared: Any, old: Any, path: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(value, list):
        value = tuple(value)
    if fits(text, declared) and not fits(value, declared):
        value = text  # a string such as 2024 or a/b
    if isinstance(value, int) and not isinstance(value, bool) and not fits(value, declared):
        value = float(value)
    if fits(value, declared):
        return value
    if (call := _call(text)) is not None:
        value = _made(call, path)
        if _is_a(value, declared):
            return value
        raise ConfigError(f"{path} takes {_spell(declared)}, not a {type(value).__name__}")
    if dataclasses.is_dataclass(old):
        inside = ", ".join(f"{path}.{name}" for name in fields(old))
        raise ConfigError(
            f"{path} is a {type(old).__name__} object; set one of {inside}, or write an object, "
            f"such as {class_name(type(old))}(...)"
        )
    raise ConfigError(f"{path} takes {_spell(declared)}, not {text!r}")


def _call(text: str) -> ast.Call | None:
    """The call that this text is, if it is one."""
    try:
        body = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    return body if isinstance(body, ast.Call) else None


def _made(node: ast.expr, path: str) -> Any:
    """The value of an expression of dataclasses, tuples and literals; nothing else is called."""
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_made(item, path) for item in node.elts)
    if not isinstance(node, ast.Call):
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise ConfigError(f"{path}: {ast.unparse(node)!r} is no value") from None
    cls = find_class(ast.unparse(node.func))
    name, known = class_name(cls), fields(cls)
    values = [_made(item, path) for item in node.args]
    named = {word.arg: _made(word.value, path) for word in node.keywords if word.arg}
    for word in named:
        if word not in known:
            raise ConfigError(f"{path}: {name} has no field {word!r}; {_hint(cls, word)}")
    try:
        return cls(*values, **named)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {name}: {error}") from None


def _is_a(value: Any, declared: Any) -> bool:
    """Whether an object may stand where `declared` is, as far as this can be told from outside."""
    options = typing.get_args(declared) or (declared,)
    classes = [one for one in options if isinstance(one, type)]
    unknown = len(classes) < len(options)  # a Callable, Any, or a protocol of generics
    try:
        return unknown or isinstance(value, tuple(classes))
    except TypeError:  # a protocol that cannot be checked at run time
        return True


def fits(value: Any, declared: Any) -> bool:
    """Whether a leaf (or a tuple of leaves) is of a declared type; objects never are."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if declared is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, a) for a in arguments)
    if declared is None or declared is type(None):
        return value is None
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(fits(v, arguments[0]) for v in value)
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if origin is typing.Literal:
        return value in arguments
    if declared is float:
        return isinstance(value, float)
    if declared in (bool, int, str):
        return type(value) is declared
    return False


def _spell(declared: Any) -> str:
    return declared.__name__ if isinstance(declared, type) else str(declared)


def differences(new: Any, old: Any, path: str = "") -> list[str]:
    """The fields in which two trees (as JSON) differ, `path: old -> new`."""
    if isinstance(new, dict) and isinstance(old, dict):
        names = [*new, *(name for name in old if name not in new)]
        pairs = [(f"{path}.{n}" if path else n, new.get(n), old.get(n)) for n in names]
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        pairs = [(f"{path}.{i}", a, b) for i, (a, b) in enumerate(zip(new, old, strict=True))]
    else:
        return [] if new == old else [f"{path}: {_short(old)} -> {_short(new)}"]
    return [line for name, a, b in pairs for line in differences(a, b, name)]


def _short(value: Any) -> str:
    text = value.get("class", "an object") if isinstance(value, dict) else repr(value)
    return text if len(text) < 60 else text[:57] + "..."
