"""`nand-edge user`: who may sign in to a station's live page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.users import USERS_FILE, User, Users


def user(
    state_folder: Annotated[
        Path, typer.Argument(help="The station's state folder, or its file of users.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Argument(help="Whom; without a name, all are listed.", show_default=False)
    ] = None,
    *,
    role: Annotated[Role | None, typer.Option(help="What they may do; needed for somebody new.")] = None,
    password_env: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="Environment variable with the password; asked for unless given."),
    ] = None,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="Give somebody who is there another one.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the users as JSON.")] = False,
) -> None:
    """List, add, change or remove those who may sign in to a live page; a running station knows at once.

    Roles: a viewer looks; an operator also pauses, resumes, switches normalities and moves the threshold; an engineer
    also adds normalities and manages users.
    """
    users = Users(_file(state_folder))
    if name is None:
        if role is not None or remove or new_password or password_env is not None:
            raise typer.BadParameter("these options go with a NAME")
    elif remove:
        if role is not None or new_password or password_env is not None:
            raise typer.BadParameter("--remove stands alone")
        users.remove(name)
    else:
        _put(users, name, role, password_env, new_password=new_password)
    _print(users.all(), as_json=as_json)


def _put(users: Users, name: str, role: Role | None, password_env: str | None, *, new_password: bool) -> None:
    known = users.find(name)
    if known is None:
        if role is None:
            raise NandEdgeError(
                f"user {name[:64]!r}",
                found="nobody of that name",
                needed="a role for somebody new",
                do=f"add --role {', --role '.join(role.value for role in Role)}, or correct the name",
            )
        users.add(name, role, _password(name, password_env))
        return
    if role is None and not new_password and password_env is None:
        raise typer.BadParameter("nothing to change: give --role, --new-password or --remove")
    if role is not None:
        users.set_role(known.name, role)
    if new_password or password_env is not None:
        users.set_password(known.name, _password(name, password_env))


def _file(folder: Path) -> Path:
    """The file of users; the state folder need not be there yet, the folder that it is in must."""
    if folder.suffix == ".json":
        return folder
    if not folder.absolute().parent.is_dir() or folder.is_file():
        raise NandEdgeError(
            f"state folder {str(folder)!r}",
            found="a file" if folder.is_file() else "no folder in which it could be",
            needed="the state folder of a station's settings",
            do="check the path",
        )
    return folder / USERS_FILE


def _password(name: str, variable: str | None) -> str:
    if variable is None:
        return str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
    password = os.environ.get(variable, "")
    if not password:
        raise NandEdgeError(
            f"environment variable {variable!r}",
            found="nothing in it",
            needed="the password",
            do="set it, or leave it out",
        )
    return password


def _print(users: list[User], *, as_json: bool) -> None:
    if as_json:
        told = [{"name": one.name, "role": one.role.value, "must_change": one.must_change} for one in users]
        typer.echo(json.dumps({"users": told}))
        return
    console = Console()
    if not users:
        console.print("nobody may sign in yet: the station says a one-time password when it starts")
    for one in users:
        more = " (chooses a password at the first sign-in)" if one.must_change else ""
        console.print(f"{one.name}: {one.role.value}{more}", markup=False, highlight=False)
