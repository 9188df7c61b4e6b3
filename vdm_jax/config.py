"""Experiments as trees of frozen dataclasses: conversion to and from JSON, and overrides by path.

A node of the tree is a dataclass (a linen module is one); a leaf is a number, a string, a bool or
`None`; several children form a tuple. JSON names a class by its package and name,
`diffusion.Cosine`, so modules may move within a package.
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
MAX_NAMES = 40  # in a message


class ConfigError(ValueError):
    """An experiment cannot be built; the message has the path, the value and the likely fix."""


def fields(node: Any) -> dict[str, dataclasses.Field]:
    """The fields of a dataclass that belong to the experiment, by name."""
    by_name = {f.name: f for f in dataclasses.fields(node) if f.init}
    if by_name.keys() >= LINEN:
        return {name: f for name, f in by_name.items() if name not in LINEN}
    return by_name


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """A clause for messages about an unknown `name`: the closest known name, or a list of them.

    The list has the first `MAX_NAMES`.
    """
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    return f"known: {', '.join(known[:MAX_NAMES])}{more}" if known else "there is none"


def _field_hint(cls: type, name: str) -> str:
    """A clause for messages about an unknown field of `cls`: its new name, or `nearest`."""
    new = RENAMED.get(f"{class_name(cls)}.{name}")
    return f"it is now called {new!r}" if new else nearest(name, fields(cls))


def class_name(cls: type) -> str:
    """The name of a class in JSON: `diffusion.Cosine` for `vdm_jax.diffusion.Cosine`."""
    package, _, rest = cls.__module__.partition(".")
    if package != PACKAGE:
        return f"{cls.__module__}.{cls.__qualname__}"
    name = f"{rest.split('.')[0]}.{cls.__qualname__}"
    if find_class(name) is not cls:
        raise ConfigError(
            f"{cls.__module__}.{cls.__qualname__} is not exported as {name}: import it in "
            "the package's __init__.py"
        )
    return name


def find_class(name: str) -> type:
    """The dataclass called `name`, from this package or from a module already imported."""
    if name in RENAMED:
        raise ConfigError(f"{name} is now {RENAMED[name] or 'written None'}")
    module_name, _, attribute = name.rpartition(".")
    try:  # this package first: `data` is also the folder of data set builders
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except (ImportError, ValueError):
        module = sys.modules.get(module_name)
    if module is None:
        raise ConfigError(
            f"no module {module_name!r} for class {name!r}: check the name, or import it first"
        )
    cls = getattr(module, attribute, None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        public = [k for k, v in vars(module).items() if dataclasses.is_dataclass(v)]
        raise ConfigError(f"no class {name!r}; {nearest(attribute, public)}")
    return cls


def to_json(node: Any) -> Any:
    """The tree as dicts, lists and leaves; the key `class` names a dataclass."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        values = {name: to_json(getattr(node, name)) for name in fields(node)}
        return {"class": class_name(type(node)), **values}
    if isinstance(node, tuple):
        return [to_json(child) for child in node]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise ConfigError(
        f"{node!r} ({type(node).__name__}) cannot be part of an experiment: "
        "use numbers, strings, tuples, None or frozen dataclasses"
    )


def from_json(data: Any) -> Any:
    """The tree of JSON that this or an older version's `to_json` made."""
    return _from_json(upgrade(data))


def upgrade(data: Any) -> Any:
    """JSON of a tree, with old names of classes and fields replaced according to `RENAMED`."""
    if isinstance(data, list):
        return [upgrade(child) for child in data]
    if not isinstance(data, dict):
        return data
    name = str(data.get("class", ""))
    kind = RENAMED.get(name, name)
    if kind is None:
        return None
    upgraded: dict[str, Any] = {}
    for field, value in data.items():
        new = RENAMED.get(f"{kind}.{field}", field)
        leaf = isinstance(value, bool | int | float | str)
        key = f"{kind}.{new}={json.dumps(value)}" if leaf else ""
        upgraded[new] = upgrade(RENAMED.get(key, value))
    return {**upgraded, "class": kind} if name else upgraded


def _from_json(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(_from_json(child) for child in data)
    if not isinstance(data, dict):
        return data
    if "class" not in data:
        raise ConfigError(f"an object with the keys {sorted(data)} lacks the key 'class'")
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


def experiment_file(path: str | os.PathLike) -> Path:
    """The experiment file at a path, or the one of that name that is installed with the package.

    `quickstart`, `vdm/ucf101` and `experiments/vdm/ucf101.py` name installed files from anywhere.

    Raises:
      ConfigError: no such file.
    """
    path = Path(path)
    if path.suffix == ".py" and path.is_file():
        return path
    package = Path(__file__).parent
    # A wheel has the experiments inside the package, a checkout has them beside it.
    folder = package if (package / "experiments").is_dir() else package.parent
    folder = folder / "experiments"
    parts = path.parts[1:] if path.parts[:1] == ("experiments",) else path.parts
    if parts and (installed := folder.joinpath(*parts).with_suffix(".py")).is_file():
        return installed
    nearby = path.parent if path.parent.is_dir() else Path("experiments")
    known = [str(p) for p in sorted(nearby.rglob("*.py"))]
    known = known or [str(p.relative_to(folder)) for p in sorted(folder.rglob("*.py"))]
    raise ConfigError(f"no experiment file {path}; {nearest(str(path), known)}")


def load(
    path: str | os.PathLike, functions: typing.Sequence[str], assignments: typing.Sequence[str] = ()
) -> Any:
    """The result of the first of `functions` that a Python file defines, with fields overridden.

    Raises:
      ConfigError: no such file, none of the functions in it, or an invalid override.
    """
    path = experiment_file(path)
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
    """The tree with values replaced in order: `override(experiment, "task.model.channels=64")`.

    A value is a Python literal of the field's declared type, or a call of dataclasses as in an
    experiment file: "sampling.sampler=diffusion.DDIM(steps=8)".

    Raises:
      ConfigError: an unknown name (the message has the nearest), or a value of the wrong type.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"{assignment!r} does not have the form path=value")
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
        raise ConfigError(f"{here} ({kind}) has no field {head!r}; {_field_hint(type(node), head)}")
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
        value = text  # a string that is also a literal, such as 2024
    if isinstance(value, int) and not isinstance(value, bool) and not fits(value, declared):
        value = float(value)
    if fits(value, declared):
        return value
    if (call := _call(text)) is not None:
        value = _evaluate(call, path)
        if _fits_object(value, declared):
            return value
        raise ConfigError(f"{path} takes {_type_name(declared)}, not a {type(value).__name__}")
    if dataclasses.is_dataclass(old):
        inside = ", ".join(f"{path}.{name}" for name in fields(old))
        raise ConfigError(
            f"{path} is a {type(old).__name__} object; set one of {inside}, or write an object, "
            f"such as {class_name(type(old))}(...)"
        )
    raise ConfigError(f"{path} takes {_type_name(declared)}, not {text!r}")


def _call(text: str) -> ast.Call | None:
    """The text as a call expression, or None."""
    try:
        body = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    return body if isinstance(body, ast.Call) else None


def _evaluate(node: ast.expr, path: str) -> Any:
    """The value of an expression of dataclasses, tuples and literals; it calls nothing else."""
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_evaluate(item, path) for item in node.elts)
    if not isinstance(node, ast.Call):
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise ConfigError(
                f"{path}: {ast.unparse(node)!r} is neither a literal nor a call of a dataclass"
            ) from None
    cls = find_class(ast.unparse(node.func))
    name, known = class_name(cls), fields(cls)
    values = [_evaluate(item, path) for item in node.args]
    named = {
        keyword.arg: _evaluate(keyword.value, path) for keyword in node.keywords if keyword.arg
    }
    for field in named:
        if field not in known:
            raise ConfigError(f"{path}: {name} has no field {field!r}; {_field_hint(cls, field)}")
    try:
        return cls(*values, **named)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {name}: {error}") from None


def _fits_object(value: Any, declared: Any) -> bool:
    """Whether an object fits a declared type; True where the type cannot be checked."""
    options = typing.get_args(declared) or (declared,)
    classes = [option for option in options if isinstance(option, type)]
    unknown = len(classes) < len(options)  # a Callable, Any, or a protocol of generics
    try:
        return unknown or isinstance(value, tuple(classes))
    except TypeError:  # a protocol that cannot be checked at run time
        return True


def fits(value: Any, declared: Any) -> bool:
    """Whether a leaf (or a tuple of leaves) has a declared type; False for objects."""
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


def _type_name(declared: Any) -> str:
    return declared.__name__ if isinstance(declared, type) else str(declared)


def differences(new: Any, old: Any, path: str = "") -> list[str]:
    """The fields in which two trees of JSON differ, as lines `path: old -> new`."""
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
