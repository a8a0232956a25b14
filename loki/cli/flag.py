"""Help that shows flags as flags: typer names a type beside them, although they take no value."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption


def _without_types(parameters: list[Any]) -> list[Any]:
    for each in parameters:
        if isinstance(each, TyperOption) and each.is_flag:
            each.metavar = ""
    return parameters


class Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


def show_flags(app: typer.Typer) -> None:
    """Let it, and every command and group in it, show no type beside flags."""
    app.info.cls = Group
    for command in app.registered_commands:
        if not issubclass(command.cls or TyperCommand, Command):
            command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            show_flags(group.typer_instance)
