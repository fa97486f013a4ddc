"""The page on the command line: every command with its arguments and options, out of the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from floorpulse.docs.markdown import code, page, table


def cli_page() -> str:
    """Every command that is not hidden."""
    from floorpulse.cli.main import make_app

    parts: list[str] = []
    for words, command in commands(typer.main.get_command(make_app()), "floorpulse"):
        parts += _shown(words, command)
    return page(
        "Commands",
        "Data goes to stdout, messages to stderr. Exit code 0: done; 1: there is a finding; 2: the input, the settings "
        "or the call is no good, said in one line; 70: a worker stopped, as going on would lose or invent data.",
        parts,
    )


def commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    """(words to type, command) of every command below one, in the order of the help."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
        return
    for name, child in below.items():
        if not child.hidden:
            yield from commands(child, f"{words} {name}")


def _shown(words: str, command: Any) -> list[str]:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    usage = " ".join([words, *(_argument(param) for param in arguments), *(["[OPTIONS]"] if options else [])])
    rows = [(code(_argument(param)), "", param.help or "") for param in arguments]
    rows += [(code(", ".join(param.opts)), _default(param), param.help or "") for param in options]
    parts = [f"## {words}", "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))]
    return [*parts, f"```\n{usage}\n```", *([table(("", "default", "meaning"), rows)] if rows else [])]


def _argument(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _default(param: Any) -> str:
    if param.required:
        return "required"
    value = param.default
    if value is None or value is False or value == "":
        return ""
    return code(str(value.value if isinstance(value, Enum) else value))
