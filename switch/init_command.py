"""`tapswitch init`: an example campus in a folder, ready to be changed and served."""

from __future__ import annotations

import shlex
import shutil
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp

import click

from actors.policy import Service
from actors.store import StoreFormatError
from switch.campus import read_campus
from switch.data_folder import SHARDS_MAX, create
from switch.secrets_file import write_fresh_secrets

PIN_SERVICES = {Service.PURCHASE, Service.CHANGE_PIN, Service.RESET_PIN}
CAMPUS, SECRETS, ACCOUNTS, DATA = "campus.toml", "secrets.toml", "accounts.csv", "data"

NEXT = """\
Wrote {campus}, {secrets} (fresh keys, mode 0600) and {accounts}.
Made {data}, an empty data folder of {shards}.

Open the accounts:
  tapswitch import --data {data} {accounts}
Run the switch:
  tapswitch serve --data {data} --campus {campus} --listen 127.0.0.1:7100 --http 127.0.0.1:7180
Send it a purchase of 12.50 yuan, from another shell:
  tapswitch tap --connect 127.0.0.1:7100 --campus {campus} --station north-1 --account 20260001 --amount 12.50
"""


@click.command("init")
@click.option(
    "--shards",
    type=click.IntRange(1, SHARDS_MAX),
    default=1,
    show_default=True,
    help="Over how many shards the accounts will be spread.",
)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path, shards: int) -> None:
    """Make an example campus in DIR: campus.toml, secrets.toml with fresh keys, accounts.csv, and a data folder, data.

    DIR is made if it does not exist. Nothing is ever replaced.
    """
    targets = [folder / name for name in (CAMPUS, SECRETS, ACCOUNTS, DATA)]
    existing = [str(path) for path in targets if path.exists() or path.is_symlink()]
    if existing:
        raise click.UsageError(
            f"{', '.join(existing)}: there already; choose another folder, or move what is there away"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_example(folder, shards)
    except OSError as error:
        raise click.UsageError(
            f"cannot write {error.filename2 or error.filename or folder}: {error.strerror}"
        ) from error
    except StoreFormatError as error:
        raise click.UsageError(f"cannot make a data folder: {error}") from error
    shown = {path.stem: shlex.quote(str(path)) for path in targets}
    click.echo(NEXT.format(shards="1 shard" if shards == 1 else f"{shards} shards", **shown), nl=False)


def write_example(folder: Path, shards: int = 1) -> None:
    """Write the three files and an empty data folder into `folder`: all of them or none.

    Raises OSError, also where one exists already, or StoreFormatError if no data folder can be made.
    """
    # Under another name until it is whole: a data folder without some of its shards must not be found, even if this
    # process is killed.
    unfinished = Path(mkdtemp(prefix=f".{DATA}-", dir=folder))
    written: list[Path] = []
    try:
        create(unfinished, shards)
        for name in (CAMPUS, ACCOUNTS):
            text = files("switch").joinpath("example", name).read_text("utf-8")
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
        campus = read_campus(folder / CAMPUS)
        takes_pins = [
            number
            for number, terminal in campus.policy.terminals.items()
            if not terminal.services.isdisjoint(PIN_SERVICES)
        ]
        write_fresh_secrets(folder / SECRETS, campus.stations, takes_pins)
        written.append(folder / SECRETS)
        unfinished.rename(folder / DATA)
    except BaseException:
        for path in written:
            path.unlink()
        shutil.rmtree(unfinished)
        raise
