"""Video jobs in the database of files and batches."""

from typing import Final

import msgspec

from tokenergy.company.serving.video import VideoFacts
from tokenergy.store.batch_database import BatchDatabase, told

ALIVE: Final = "('queued', 'in_progress')"
_decode = msgspec.json.Decoder(VideoFacts).decode


class SqliteVideos:
    """Keeps the promises of `company.serving.video.Videos`."""

    def __init__(self, database: BatchDatabase) -> None:
        """Take the database."""
        self._database = database

    @told
    def add(self, facts: VideoFacts) -> None:
        """Keep a new job; what has expired is forgotten with it."""
        with self._database.writing() as file:
            file.execute("DELETE FROM video WHERE expires_s <= ?", (facts.created_s,))
            file.execute(
                "INSERT INTO video (video_id, tenant, owner, status, expires_s, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    facts.video_id, facts.tenant, facts.owner, facts.status, facts.expires_s,
                    msgspec.json.encode(facts),
                ),
            )  # fmt: skip

    @told
    def put(self, facts: VideoFacts) -> bool:
        """Keep a job as it stands; False: it was deleted meanwhile, and stays so."""
        with self._database.writing() as file:
            return (
                file.execute(
                    "UPDATE video SET status = ?, expires_s = ?, body = ? WHERE video_id = ?",
                    (facts.status, facts.expires_s, msgspec.json.encode(facts), facts.video_id),
                ).rowcount
                > 0
            )

    @told
    def find(self, tenant: str, video_id: str, *, now_s: float) -> VideoFacts | None:
        """Return a job of a tenant, or None."""
        with self._database.reading() as file:
            row = file.execute(
                "SELECT body FROM video WHERE video_id = ? AND tenant = ?"
                " AND (expires_s IS NULL OR expires_s > ?)",
                (video_id, tenant, now_s),
            ).fetchone()
        return None if row is None else _decode(row["body"])

    @told
    def listed(
        self,
        tenant: str,
        *,
        now_s: float,
        after: str | None,
        limit_count: int,
        newest_first: bool,
    ) -> tuple[VideoFacts, ...]:
        """Return jobs in the order of their making, from behind `after` on."""
        order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
        query = "SELECT body FROM video WHERE tenant = ? AND (expires_s IS NULL OR expires_s > ?)"
        values: list[str | float] = [tenant, now_s]
        if after is not None:
            query += f" AND number {beyond} (SELECT number FROM video WHERE video_id = ?)"
            values.append(after)
        with self._database.reading() as file:
            rows = file.execute(
                f"{query} ORDER BY number {order} LIMIT ?", (*values, limit_count)
            ).fetchall()
        return tuple(_decode(row["body"]) for row in rows)

    @told
    def drop(self, tenant: str, video_id: str) -> bool:
        """Delete a job, and tell whether there was one."""
        with self._database.writing() as file:
            return (
                file.execute(
                    "DELETE FROM video WHERE video_id = ? AND tenant = ?", (video_id, tenant)
                ).rowcount
                > 0
            )

    @told
    def interrupted(self, owner: str, *, now_s: float, expires_s: float) -> int:
        """Let the jobs fail that a worker had when it ended, and return how many those were."""
        with self._database.writing() as file:
            rows = file.execute(
                f"SELECT body FROM video WHERE owner = ? AND status IN {ALIVE}", (owner,)
            ).fetchall()
            for row in rows:
                facts = msgspec.structs.replace(
                    _decode(row["body"]), status="failed", ended_s=now_s, expires_s=expires_s,
                    error_code="interrupted",
                    error_message="The gateway ended before the video was made.",
                )  # fmt: skip
                file.execute(
                    "UPDATE video SET status = ?, expires_s = ?, body = ? WHERE video_id = ?",
                    (facts.status, expires_s, msgspec.json.encode(facts), facts.video_id),
                )
        return len(rows)
