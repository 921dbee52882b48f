"""The user's word on a language model's phrases, before they are used."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from nand_edge.errors import NandEdgeError
from nand_edge_export.language_model.reply import UnusableReplyError, as_phrase

_DROP = "-"


def require_approver(*, approved: bool) -> None:
    """Refuse to go on where nobody could approve the phrases, before a model is asked.

    Args:
        approved: Whether the user approved beforehand (--yes).

    Raises:
        NandEdgeError: Nobody approved, and there is no terminal to ask at.
    """
    if not approved and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NandEdgeError(
            "phrases of a language model",
            found="no terminal to show them at",
            needed="somebody who approves them",
            do="run it in a terminal, or give --yes to take what the model says",
        )


def approve(phrases: Sequence[str]) -> tuple[str, ...]:
    """Show phrases at the terminal, let the user change them, and return them as the user wants them.

    Raises:
        NandEdgeError: The user does not want them.
    """
    phrases = tuple(phrases)
    while True:
        for phrase in phrases:
            typer.echo(f"  {phrase}", err=True)
        answer = typer.prompt("Use these phrases? [y]es, [n]o, [e]dit", err=True).strip().lower()
        if answer in ("y", "yes"):
            return phrases
        if answer in ("n", "no"):
            raise NandEdgeError(
                "phrases of the language model",
                found="that you do not want them",
                needed="phrases that describe the defect",
                do="ask again with --no-cache, type your own with --phrase, or leave --llm-url out",
            )
        if answer in ("e", "edit"):
            phrases = _edited(phrases) or phrases


def _edited(phrases: Sequence[str]) -> tuple[str, ...]:
    typer.echo(f"Enter keeps a phrase, {_DROP} drops it, anything else takes its place.", err=True)
    edited = [_ask(f"  {number}", phrase) for number, phrase in enumerate(phrases, start=1)]
    while added := _ask("  one more (Enter for none)", ""):
        edited.append(added)
    return tuple(dict.fromkeys(phrase for phrase in edited if phrase))


def _ask(label: str, phrase: str) -> str:
    """One phrase from the terminal, or nothing."""
    while True:
        typed = str(typer.prompt(label, default=phrase, show_default=bool(phrase), err=True)).strip()
        if typed in ("", _DROP):
            return ""
        try:
            return as_phrase(typed)
        except UnusableReplyError as unusable:
            typer.echo(f"    That is {unusable}.", err=True)
