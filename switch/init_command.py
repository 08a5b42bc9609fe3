"""`tapswitch init`: an example campus in a folder, ready to be changed and served."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path

import click

from switch.campus import read_campus
from switch.secrets_file import write_fresh_secrets

CAMPUS, SECRETS, ACCOUNTS = "campus.toml", "secrets.toml", "accounts.csv"

NEXT = """\
Wrote {campus}, {secrets} (fresh keys, mode 0600) and {accounts}.

Open the accounts:
  tapswitch import --data {data} {accounts}
Run the switch:
  tapswitch serve --data {data} --campus {campus} --listen 127.0.0.1:7100 --http 127.0.0.1:7180
Send it a purchase of 12.50 yuan, from another shell:
  tapswitch tap --connect 127.0.0.1:7100 --campus {campus} --station north-1 --account 20260001 --amount 12.50
"""


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write an example campus.toml, secrets.toml with fresh keys, and accounts.csv into DIR.

    DIR is made if it does not exist. No file is ever replaced.
    """
    targets = [folder / name for name in (CAMPUS, SECRETS, ACCOUNTS)]
    existing = [str(path) for path in targets if path.exists() or path.is_symlink()]
    if existing:
        raise click.UsageError(f"{', '.join(existing)} already exists; choose another folder, or move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_example(folder)
    except OSError as error:
        raise click.UsageError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    shown = {path.stem: shlex.quote(str(path)) for path in targets}
    click.echo(NEXT.format(data=shlex.quote(str(folder / "data")), **shown), nl=False)


def write_example(folder: Path) -> None:
    """Write the three files into `folder`: all of them or none. Raises OSError, also where one exists already."""
    written: list[Path] = []
    try:
        for name in (CAMPUS, ACCOUNTS):
            text = files("switch").joinpath("example", name).read_text("utf-8")
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
        write_fresh_secrets(folder / SECRETS, read_campus(folder / CAMPUS).stations)
    except OSError:
        for path in written:
            path.unlink()
        raise
