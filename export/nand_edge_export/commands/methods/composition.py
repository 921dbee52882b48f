"""One command with the options of all methods: their functions' parameters become the command's."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_type_hints

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors.method import Method

Makers = Mapping[str, Callable[..., Method]]


def with_options_of(methods: Makers) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that ends in `**options` the options of all methods, each with its methods' names in the help."""

    def compose(command: Callable[..., None]) -> Callable[..., None]:
        own = [parameter for parameter in _parameters(command).values() if parameter.kind is not parameter.VAR_KEYWORD]
        parameters = [*own, *_options(methods)]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return compose


def make_method(methods: Makers, name: str, options: Mapping[str, Any]) -> Method:
    """The method that was chosen, from the options that were given.

    Raises:
        NandEdgeError: There is no such method, or an option belongs to others or has a value that it cannot have.
    """
    if name not in methods:
        raise NandEdgeError("--method", found=repr(name), needed=f"one of {', '.join(methods)}", do="correct the name")
    chosen = {option: value for option, value in options.items() if value is not None}
    for option in chosen:
        owners = _owners(methods, option)
        if name not in owners:
            raise NandEdgeError(
                _flag(methods, option),
                found=f"it with --method {name}",
                needed=f"--method {' or '.join(owners)}, whose option it is",
                do="leave it out or change the method",
            )
    return methods[name](**chosen)


def _options(methods: Makers) -> list[inspect.Parameter]:
    options: dict[str, inspect.Parameter] = {}
    for maker in methods.values():
        for name, parameter in _parameters(maker).items():
            if name in options and options[name].annotation != parameter.annotation:
                raise TypeError(f"methods differ in their option {name!r}")
            options[name] = parameter
    return [_described(parameter, _owners(methods, name)) for name, parameter in options.items()]


def _described(parameter: inspect.Parameter, owners: list[str]) -> inspect.Parameter:
    kind, option = get_args(parameter.annotation)
    described = copy.copy(option)
    described.help = f"{', '.join(owners)}: {option.help}"
    return parameter.replace(annotation=Annotated[kind, described])


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _owners(methods: Makers, option: str) -> list[str]:
    return [name for name, maker in methods.items() if option in inspect.signature(maker).parameters]


def _flag(methods: Makers, option: str) -> str:
    """How the option is typed: its own name where it has one, as `--object` for `object_name`."""
    _, declared = get_args(next(p for p in _options(methods) if p.name == option).annotation)
    names: tuple[str, ...] = declared.param_decls or ()
    return declared.default if isinstance(declared.default, str) else next(iter(names), f"--{option.replace('_', '-')}")
