"""The prepared data set: the items of all users, oldest first, in one array with offsets.

It is a folder that processes can map and share: one .npy per array, the raw ids in their order,
dataset.json (audit and fingerprint) and a manifest with digests. Memory is O(interactions).
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.arrays import count_codes, look_up
from seqrec.data.audit import build_audit, fingerprint
from seqrec.data.sequences import Sequences
from seqrec.data.split import Split, SplitName, global_time, leave_one_out
from seqrec.data.vocabulary import Vocabulary, load_array
from seqrec.errors import DataError, named_refused_thread
from seqrec.files import read_json, write_json
from seqrec.folder import Entries, Kind, read_folder, whole_folder

DATA_SET = Kind(
    format="seqrec data set",
    version=1,
    suffixes=(".npy", ".json"),
    unreadable=DataError,
)
_SMALL_BELOW = np.uint64(2**64 // 10)  # protocol: a tenth of the users, by keyed hash


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Sequences of items with their raw ids.

    Attributes:
        items: int32 [E], ids 1..=N, user by user, oldest first.
        offsets: int64 [U + 1]; user u owns items[offsets[u]:offsets[u + 1]], never empty.
        times: int64 [E] in the unit of the source, or None where row order is the order.
        user_ids: raw ids of users 0..U.
        item_ids: raw ids of items; item j has code j - 1.
        audit: what `prepare` counted (see `audit.py`).
        fingerprint: SHA-256 of the content.
    """

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    times: NDArray[np.int64] | None
    user_ids: Vocabulary
    item_ids: Vocabulary
    audit: dict[str, Any]
    fingerprint: str

    @classmethod
    def from_events(
        cls,
        offsets: NDArray[np.int64],
        items: NDArray[np.int32],
        times: NDArray[np.int64] | None,
        user_ids: Vocabulary,
        item_ids: Vocabulary,
        removed: dict[str, Any],
    ) -> Dataset:
        """The data set of events in order: users and items that do not occur are left out.

        Args:
            offsets: int64 [len(user_ids) + 1]; user code u has the events offsets[u]..offsets[u+1].
            items: int32 [E], codes of `item_ids`; taken over, and written to.
            times: int64 [E] or None; taken over.
            user_ids: raw ids of the user codes.
            item_ids: raw ids of the item codes.
            removed: what was removed from the source, for the audit.

        Raises:
            ResourceError: if the system starts no thread.
        """
        user_codes = np.flatnonzero(np.diff(offsets))
        item_codes = np.flatnonzero(count_codes(items, len(item_ids)))
        places = np.zeros(len(item_ids), dtype=np.int32)
        places[item_codes] = np.arange(1, len(item_codes) + 1, dtype=np.int32)
        offsets = np.append(offsets[user_codes], offsets[-1:])
        kept_users, kept_items = user_ids.subset(user_codes), item_ids.subset(item_codes)
        ids = look_up(places, items)
        # Hashing lets go of the interpreter.
        with named_refused_thread(), ThreadPoolExecutor(max_workers=1) as beside:
            digest = beside.submit(fingerprint, offsets, ids, times, kept_users, kept_items)
            unnamed = cls(ids, offsets, times, kept_users, kept_items, audit={}, fingerprint="")
            audit = build_audit(unnamed, removed)
        audit["fingerprint"] = digest.result()
        return dataclasses.replace(unnamed, audit=audit, fingerprint=digest.result())

    @property
    def n_users(self) -> int:
        """How many users there are; each has at least one action."""
        return len(self.offsets) - 1

    @property
    def n_items(self) -> int:
        """N, the size of the catalogue."""
        return len(self.item_ids)

    @property
    def n_events(self) -> int:
        """How many actions there are."""
        return len(self.items)

    @property
    def sequences(self) -> Sequences:
        """All actions of all users."""
        return Sequences(self.items, self.offsets[:-1], self.offsets[1:])

    def split(self, name: str = "leave_one_out", cuts: tuple[int, int] | None = None) -> Split:
        """Cuts the data set into train, validation and test parts, without copying items.

        Args:
            name: "leave_one_out" or "global_time".
            cuts: the two times of global_time, in the unit of the timestamps.

        Raises:
            ConfigError: for another name, or cuts that do not fit it.
            DataError: if a part would be empty, or timestamps are needed and absent.
        """
        check(name in SplitName.__args__, "split", name, f"one of {SplitName.__args__}")
        if name == "global_time":
            return global_time(self, cuts)
        check(cuts is None, "cuts", cuts, "left out: leave_one_out has none")
        return leave_one_out(self)

    def small(self) -> Dataset:
        """A tenth of the users, by the keyed hash of their raw ids; the catalogue is theirs.

        Raises:
            DataError: if the hash keeps nobody (few users).
        """
        offsets, data = self.user_ids.texts()
        kept = _core.keyed_hash("small", "", offsets, data, "", "") < _SMALL_BELOW
        if not kept.any():
            raise DataError(f"small: the hash keeps none of the {self.n_users} users")
        lengths = np.diff(self.offsets)
        keep = np.repeat(kept, lengths)
        offsets = np.append(0, np.cumsum(np.where(kept, lengths, 0)))
        times = None if self.times is None else self.times[keep]
        removed = {**self.audit["source"], "small_of": self.fingerprint}
        return Dataset.from_events(
            offsets, self.items[keep] - 1, times, self.user_ids, self.item_ids, removed
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes the data set as a folder, whole or not at all.

        Args:
            folder: must not exist, or be empty.
            overwrite: replace a data set that is there.

        Raises:
            ResourceError: if the folder may not be replaced, or the disk refuses.
        """
        arrays = (self.items, self.offsets, self.times)
        needs = sum(array.nbytes for array in arrays if array is not None)
        with whole_folder(Path(folder), DATA_SET, replace=overwrite, needs=needs) as aside:
            np.save(aside / "items.npy", self.items, allow_pickle=False)
            np.save(aside / "offsets.npy", self.offsets, allow_pickle=False)
            if self.times is not None:
                np.save(aside / "times.npy", self.times, allow_pickle=False)
            self.user_ids.save(aside, "user_ids")
            self.item_ids.save(aside, "item_ids")
            document = {"fingerprint": self.fingerprint, "audit": self.audit}
            write_json(aside / "dataset.json", document)

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool | None = None) -> Dataset:
        """Maps a saved data set into memory, read-only; processes share its pages.

        Args:
            folder: what `save` wrote.
            verify: whether to check every file's digest, which reads all of it; None: for folders
                up to 64 MiB. Sizes and structure are always checked.

        Raises:
            DataError: if a file is missing, damaged, or of another format version; names the file.
        """
        return read_folder(Path(folder), DATA_SET, cls._read, verify=verify)

    @classmethod
    def _read(cls, folder: Path, files: Entries) -> Dataset:
        document = read_json(folder / "dataset.json", DataError)

        def mapped(name: str, dtype: type) -> NDArray[Any]:
            return load_array(folder / name, np.dtype(dtype), mmap=True)

        dataset = cls(
            items=mapped("items.npy", np.int32),
            offsets=mapped("offsets.npy", np.int64),
            times=mapped("times.npy", np.int64) if "times.npy" in files else None,
            user_ids=Vocabulary.load(folder, "user_ids"),
            item_ids=Vocabulary.load(folder, "item_ids"),
            audit=document["audit"],
            fingerprint=document["fingerprint"],
        )
        _check_structure(folder, dataset)
        return dataset


def _check_structure(folder: Path, dataset: Dataset) -> None:
    """Checks that the arrays of a folder fit each other."""
    offsets, n_events = dataset.offsets, dataset.n_events
    if (
        len(offsets) < 2
        or offsets[0] != 0
        or offsets[-1] != n_events
        or (np.diff(offsets) < 1).any()
    ):
        raise DataError(f"{folder / 'offsets.npy'} does not fit the {n_events} events of items.npy")
    if dataset.times is not None and len(dataset.times) != n_events:
        raise DataError(
            f"{folder / 'times.npy'} has {len(dataset.times)} entries for {n_events} events"
        )
    if len(dataset.user_ids) != dataset.n_users:
        raise DataError(
            f"{folder}: {len(dataset.user_ids)} raw user ids for {dataset.n_users} users"
        )
    low, high = int(dataset.items.min()), int(dataset.items.max())
    if low < 1 or high > dataset.n_items:
        raise DataError(
            f"{folder / 'items.npy'} has ids {low}..{high} outside 1..{dataset.n_items}"
        )
