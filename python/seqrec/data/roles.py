"""Which column of a log plays which role: the users, the items, the times, the ratings."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from seqrec.errors import DataError

TIME_WORDS = {"timestamp", "time", "datetime", "date", "datum", "dt", "ts", "at"}
_WORD = re.compile(r"[A-Z]*[a-z]+|[A-Z]+")  # of event_time, unixReviewTime and DATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of the columns of a log.

    Attributes:
        user: raw ids of users.
        item: raw ids of items.
        time: None: "timestamp", if there is such a column; "": no times, row order is the order;
            any other name must be there. Without a name, one that looks like it ("Timestamp",
            "event_time", "created_at") is refused, and so is one of times by its type: the order
            would be lost without a word.
        rating: "": none; any other name must be there.
    """

    user: str = "user_id"
    item: str = "item_id"
    time: str | None = None
    rating: str = ""

    def resolve(
        self, found: Sequence[str], source: str, times: Collection[str] = ()
    ) -> dict[str, str]:
        """Which of the found columns plays which role; absent optional roles are left out.

        Args:
            found: names of columns.
            source: names the log, for errors.
            times: those that are points in time by their types.

        Raises:
            DataError: if a wanted column is absent or there twice: names wanted and found; if no
                time was named and another column seems to hold it.
        """
        roles = {"user": self.user, "item": self.item}
        if self.time or (self.time is None and "timestamp" in found):
            roles["time"] = self.time or "timestamp"
        if self.rating:
            roles["rating"] = self.rating
        for role, name in roles.items():
            if found.count(name) != 1:
                state = "no" if name not in found else f"{found.count(name)}"
                flag = "" if role == "rating" else f" (command line: --{role}-col)"
                raise DataError(
                    f"{source}: {state} column {name!r} for the {role}; found: "
                    f"{', '.join(map(repr, found)) or 'none'}; rename it, or name it with "
                    f"{role}_col{flag}"
                )
        if len(set(roles.values())) < len(roles):
            raise DataError(f"{source}: one column cannot play two roles: {roles}")
        if self.time is None and "time" not in roles:
            _refuse_unnamed_times([n for n in found if n not in roles.values()], source, times)
        return roles


def _refuse_unnamed_times(rest: Sequence[str], source: str, times: Collection[str]) -> None:
    """Refuses a log whose rows would be taken in their order although it seems to have times."""
    for name in rest:
        words = _WORD.findall(name)
        if name in times or (words and words[-1].lower() in TIME_WORDS):
            raise DataError(
                f"{source}: column {name!r} seems to hold the times: call it 'timestamp', or "
                "name it with time_col (command line: --time-col), '' where the rows are in order"
            )
