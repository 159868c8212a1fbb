"""
Checking an event's arguments by the annotations of its method, with pydantic.

Text, numbers, truth values and bytes are taken for nothing else: no text becomes a number, and no
number a truth value.  What JSON has no form for is read from the form that it is given
in its place: a date from ISO 8601 text, a set from a list, a model or dataclass from an object.
Pydantic alone would either guess or, being strict, want a date to be a date: so its
schema of a type is taken, and these leaves of it are made strict.

This module alone needs pydantic, and is imported when a method asks to be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import Parameter, signature, unwrap
from types import SimpleNamespace
from typing import Any, NamedTuple, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, ValidationError

from mojo.errors import EventTableError, InvalidArgumentsError

_STRICT = frozenset(("bool", "bytes", "float", "int", "str"))
# Parts of a schema that are no schemas, and the keys of an object, which are always text.
_NO_SCHEMAS = frozenset(
    ("config", "default", "expected", "keys_schema", "members", "metadata", "serialization")
)

# A client that sends a thousand wrong items need not be told of each, and that pydantic
# describes them takes longer than that it finds them.
_MOST_PROBLEMS = 10
_MOST_DESCRIBED = 100
_LONGEST_PROBLEM = 200


class _Argument(NamedTuple):
    """
    One parameter of a method.

    Attributes:
        name: its name.
        required: whether it has no default.
        validator: what checks it; ``None`` lets everything pass.
    """

    name: str
    required: bool
    validator: SchemaValidator | None


class Validator:
    """
    Checks and converts the arguments of one method.

    Args:
        method: the method; a parameter without an annotation takes anything.
        where: names it in an error.
    Raises:
        EventTableError: an annotation cannot be had, or is of a type that cannot be checked.
    """

    __slots__ = ("_arguments", "_rest")

    def __init__(self, method: Callable[..., Any], where: str) -> None:
        parameters = list(signature(method).parameters.values())[1:]  # without self
        hints = _hints_of(method, parameters, where)
        self._arguments = [
            _argument(parameter, hints, where)
            for parameter in parameters
            if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        ]
        self._rest = next(
            (_argument(p, hints, where) for p in parameters if p.kind is Parameter.VAR_POSITIONAL),
            None,
        )

    def __call__(self, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """
        Give the arguments that the method is called with.

        Args:
            name: the event's name.
            args: what the client sent.
        Raises:
            InvalidArgumentsError: they are not what the method takes.
        """
        problems: list[dict[str, str]] = []
        checked = []
        for position, value in enumerate(args):
            if len(problems) >= _MOST_PROBLEMS:
                break
            argument = self._at(position)
            if argument is None:
                problems.append(_problem(str(position + 1), "There is no such argument"))
                continue
            if argument.validator is None:
                checked.append(value)
                continue
            try:
                checked.append(argument.validator.validate_python(value))
            except ValidationError as exc:
                problems.extend(_problems_of(exc, argument.name))
        missing = (a for a in self._arguments[len(args) :] if a.required)
        problems.extend(_problem(argument.name, "Argument required") for argument in missing)
        if problems:
            raise InvalidArgumentsError(name, problems[:_MOST_PROBLEMS])
        return tuple(checked)

    def _at(self, position: int) -> _Argument | None:
        if position < len(self._arguments):
            return self._arguments[position]
        return self._rest


def _hints_of(
    method: Callable[..., Any], parameters: list[Parameter], where: str
) -> dict[str, Any]:
    """Evaluate the annotations, but not those of ``self`` and of what is returned."""
    annotations = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=annotations),
            getattr(unwrap(method), "__globals__", {}),
            include_extras=True,
        )
    except Exception as exc:  # an annotation is any code
        raise EventTableError(f"{where}: an annotation cannot be had: {exc}") from exc


def _argument(parameter: Parameter, hints: dict[str, Any], where: str) -> _Argument:
    hint = hints.get(parameter.name, Any)
    required = parameter.default is parameter.empty
    if hint is Any:
        return _Argument(parameter.name, required, None)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
        if not adapter.pydantic_complete:
            adapter.rebuild(raise_errors=True)
        # A model brings a validator of its own, which would be taken in place of its schema.
        validator = SchemaValidator(_with_strict_leaves(adapter.core_schema), _use_prebuilt=False)
    except Exception as exc:  # pydantic's own errors, or what a type's own schema raises
        problem = str(exc).partition("\n")[0]
        raise EventTableError(f"{where}: {parameter.name!r} cannot be checked: {problem}") from exc
    return _Argument(parameter.name, required, validator)


def _with_strict_leaves(schema: Any) -> Any:
    """Copy a schema of pydantic's; a leaf that says itself how strict it is stays so."""
    if isinstance(schema, dict):
        copy = {
            key: part if key in _NO_SCHEMAS else _with_strict_leaves(part)
            for key, part in schema.items()
        }
        if copy.get("type") in _STRICT:
            copy.setdefault("strict", True)
        return copy
    if isinstance(schema, list | tuple):
        return type(schema)(map(_with_strict_leaves, schema))
    return schema


def _problems_of(error: ValidationError, argument: str) -> Iterator[dict[str, str]]:
    if error.error_count() > _MOST_DESCRIBED:
        yield _problem(argument, f"{error.error_count()} problems")
        return
    for line in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(map(str, line["loc"]))
        yield _problem(argument, f"{place}: {line['msg']}" if place else line["msg"])


def _problem(argument: str, problem: str) -> dict[str, str]:
    return {"argument": argument, "problem": problem[:_LONGEST_PROBLEM]}
