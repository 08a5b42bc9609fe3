"""What a backup is: a copy of each shard's store as of one instant, and a manifest that says what must be there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from actors.account.kind import ACCOUNT
from actors.journal import Head, Journal
from actors.lmdb_store import DATA_FILE, LmdbStore, Made
from actors.lmdb_store import FORMAT as DATA_FORMAT
from actors.store import StoreFormatError
from switch.data_folder import shard_folder

FORMAT: Final = 1
"""Of a backup. Raised when older software could misread it."""

MANIFEST: Final = "manifest.json"
_PIECE_BYTES: Final = 1 << 20


class BackupError(Exception):
    """The backup is damaged, incomplete, or none; the text names the file and says what is wrong."""


class ShardCopy(Struct, frozen=True):
    """A shard's file in a backup."""

    shard: int
    file: str
    """Below the backup's folder."""

    bytes: int
    sha256: str
    position: int
    """Of the journal's last event in the copy."""

    hash: str
    """Of the journal's last batch in the copy: with the position, its head."""

    @property
    def head(self) -> Head:
        """Where the journal ends in the copy."""
        return Head(self.position, bytes.fromhex(self.hash))


class Manifest(Struct, frozen=True):
    """What a backup says of itself."""

    format: int
    software: str
    taken: datetime
    """When the first shard's copy was begun: whatever was acknowledged before is in the backup."""

    data_format: int
    data_folder: str
    """What the shards of the data folder, and of no other, call it."""

    shards: int
    """How many the data folder has; those of a machine may be fewer."""

    authorizations_after: int
    copies: list[ShardCopy]

    def made(self, copy: ShardCopy) -> Made:
        """What the shard must say of itself."""
        return Made(self.data_format, self.data_folder, copy.shard, self.shards, self.authorizations_after)


class _Format(Struct):
    """The one field that every format has."""

    format: int


def take_backup(
    stores: Sequence[LmdbStore], folder: Path, progress: Callable[[int], None] = lambda _: None
) -> Manifest:
    """Copy every store into `folder`, which is empty, and write the manifest at the end; all of it is durable then.

    Each shard is copied as of one instant of its own: nothing crosses from one to another. `progress` is called with
    the number of shards done. Raises OSError, or StoreFormatError if what was written cannot be read.
    """
    taken, made = datetime.now(UTC), stores[0].made
    copies = []
    for store in stores:
        copies.append(_copy(store, folder))
        progress(len(copies))
    manifest = Manifest(
        FORMAT,
        version("tapswitch"),
        taken,
        made.format,
        made.data_folder,
        made.shards,
        made.authorizations_after,
        copies,
    )
    content = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    descriptor = os.open(folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return manifest


def read_manifest(backup: Path) -> Manifest:
    """The manifest of a backup. Raises BackupError."""
    path = backup / MANIFEST
    try:
        content = path.read_bytes()
        if (found := msgspec.json.decode(content, type=_Format).format) > FORMAT:
            raise BackupError(f"{path}: format {found} is newer than this software's {FORMAT}; use the newer tapswitch")
        manifest = msgspec.json.decode(content, type=Manifest)
        heads = [copy.head for copy in manifest.copies]
    except FileNotFoundError as error:
        raise BackupError(f"{path} is missing: this is no backup, or one that was not completed") from error
    except OSError as error:
        raise BackupError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BackupError(f"{path}: damaged: {error}") from error
    if manifest.data_format > DATA_FORMAT:
        raise BackupError(
            f"{path}: data format {manifest.data_format} is newer than this software's {DATA_FORMAT}; use tapswitch "
            f"{manifest.software}"
        )
    if not heads:
        raise BackupError(f"{path}: damaged: it lists no shard")
    for copy in manifest.copies:
        if copy.file != _file(copy.shard):
            raise BackupError(f"{path}: damaged: shard {copy.shard} has file {copy.file!r}, not {_file(copy.shard)!r}")
    return manifest


def put_back(backup: Path, manifest: Manifest, copy: ShardCopy, data: Path) -> None:
    """Copy a shard's file into the data folder and check it on the way; it is durable then.

    Raises BackupError if it is not what was written when the backup was taken, OSError if it cannot be written.
    """
    source, folder = backup / copy.file, shard_folder(data, copy.shard)
    folder.mkdir(mode=0o700)
    found, digest = _write_checked(source, folder / DATA_FILE)
    if found != copy.bytes:
        raise BackupError(f"{source}: {found} bytes, but the manifest says {copy.bytes}; take another backup")
    if digest != copy.sha256:
        raise BackupError(f"{source}: damaged: its SHA-256 is {digest}, but the manifest says {copy.sha256}")
    try:
        store = LmdbStore.open_read_only(folder)
    except StoreFormatError as error:
        raise BackupError(f"{source}: {error}") from error
    try:
        if store.made != manifest.made(copy) or Journal(store, ACCOUNT.event_type).head() != copy.head:
            raise BackupError(
                f"{backup / MANIFEST}: damaged: it says something else of shard {copy.shard} than its file"
            )
    finally:
        store.close()


def _copy(store: LmdbStore, folder: Path) -> ShardCopy:
    shard = store.made.shard
    path = store.copy(shard_folder(folder, shard))
    copied = LmdbStore.open_read_only(path.parent)
    try:
        head = Journal(copied, ACCOUNT.event_type).head()
    finally:
        copied.close()
    for left in path.parent.iterdir():
        if left != path:  # LMDB's table of readers
            left.unlink()
    with path.open("rb") as file:
        # What is on the disk is hashed, not what lies in memory; and a running switch keeps its share of that.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        digest = file_digest(file, "sha256").hexdigest()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        size = os.fstat(file.fileno()).st_size
    return ShardCopy(shard, _file(shard), size, digest, head.position, head.hash.hex())


def _write_checked(source: Path, target: Path) -> tuple[int, str]:
    """Size and SHA-256 of what was read and written."""
    digest, size = sha256(), 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        try:
            read = source.open("rb")
        except OSError as error:
            raise BackupError(f"{source}: cannot be read: {error.strerror}") from error
        with read:
            while piece := read.read(_PIECE_BYTES):
                digest.update(piece)
                size += written.write(piece)
        written.flush()
        os.fsync(descriptor)
    return size, digest.hexdigest()


def _file(shard: int) -> str:
    return str(shard_folder(Path(), shard) / DATA_FILE)
