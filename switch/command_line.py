"""`tapswitch`: sub-commands are found by their entry points, so that packages above this one can add theirs."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

import click

ENTRY_POINTS = "tapswitch.commands"


class _EntryPointGroup(click.Group):
    """Loads a sub-command's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in order."""
        del ctx
        return sorted(entry_points(group=ENTRY_POINTS).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        del ctx
        found: EntryPoint | None = next(iter(entry_points(group=ENTRY_POINTS, name=cmd_name)), None)
        return found.load() if found is not None else None


@click.group(cls=_EntryPointGroup)
@click.version_option(package_name="tapswitch")
def tapswitch() -> None:
    """The transaction switch of a campus card."""


def main() -> None:
    """The console script."""
    if not __debug__:
        sys.exit("tapswitch: assertions protect people's money; run Python without -O")
    tapswitch(prog_name="tapswitch")


if __name__ == "__main__":
    main()
