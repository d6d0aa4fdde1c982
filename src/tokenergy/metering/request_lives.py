"""The requests of metered servers, kept from the journal's records for as long as they matter."""

import math
from collections.abc import Iterable, Iterator, Sequence

from tokenergy.company.serving.record import Closed, Marked, Opened, Record
from tokenergy.metering.request_life import RequestLife, closed_life, marked_life, opened_life


class RequestLives:
    """Takes records in the order of each worker's journal; a record may come twice.

    A request is where its last OPEN sent it: what a server did before it failed, or before the
    request was held, is nobody's, for no token of it is known.
    """

    def __init__(self, upstreams: Iterable[str]) -> None:
        """Keep nothing yet.

        Args:
            upstreams: servers that have a meter; requests of others are passed over.
        """
        self._by_upstream: dict[str, dict[str, RequestLife]] = {name: {} for name in upstreams}
        self._upstream_of: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many requests are kept."""
        return len(self._upstream_of)

    def take(self, records: Iterable[Record]) -> None:
        """Take records on."""
        for record in records:
            if isinstance(record, Opened):
                self._open(record)
            elif isinstance(record, Marked | Closed):
                upstream = self._upstream_of.get(record.request_id)
                if upstream is None:
                    continue
                lives = self._by_upstream[upstream]
                life = lives[record.request_id]
                lives[record.request_id] = (
                    marked_life(life, record)
                    if isinstance(record, Marked)
                    else closed_life(life, record)
                )

    def within(
        self, upstreams: Sequence[str], start_s: float, end_s: float
    ) -> Iterator[RequestLife]:
        """Yield the requests that some servers had at any time in `[start, end)`."""
        for name in upstreams:
            for life in self._by_upstream[name].values():
                closed_s = life.closed_s
                if life.opened_s < end_s and (closed_s is None or closed_s > start_s):
                    yield life

    def forget(
        self, upstreams: Sequence[str], until_s: float, *, longest_s: float = math.inf
    ) -> None:
        """Let go of the requests of some servers that had ended by a moment.

        Args:
            upstreams: the servers.
            until_s: the moment.
            longest_s: no request runs longer: one whose CLOSE found the disk full has ended too.
        """
        for name in upstreams:
            lives = self._by_upstream[name]
            gone = [
                request_id
                for request_id, life in lives.items()
                if (life.opened_s + longest_s if life.closed_s is None else life.closed_s)
                <= until_s
            ]
            for request_id in gone:
                del lives[request_id], self._upstream_of[request_id]

    def _open(self, opened: Opened) -> None:
        request_id = opened.request_id
        held = self._upstream_of.get(request_id)
        if held is not None:
            life = self._by_upstream[held][request_id]
            if held == opened.upstream and life.opened_s == opened.at_s:
                return  # it is told again
            if opened.at_s < life.opened_s:
                return
            del self._by_upstream[held][request_id], self._upstream_of[request_id]
        lives = self._by_upstream.get(opened.upstream)
        if lives is not None:
            lives[request_id] = opened_life(opened)
            self._upstream_of[request_id] = opened.upstream
