"""A worker's eye on the board: newer ones are taken, worse ones are not."""

from request_boards import HOUR_S, board, candidate, rung, workload

from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.board_watch import BOARD, FINDINGS, NEXT_BOARD, BoardWatch

KNOWN = ("m@oslo", "m@texas")


def priced(usd_per_mtok: float, *, hour: int = 0, made_at_s: float | None = None, share=1.0):
    start_s = hour * HOUR_S
    return board(
        workload([rung([candidate("m@oslo", usd_per_mtok, share=share)])]),
        start_s=start_s,
        valid_until_s=start_s + HOUR_S,
        made_at_s=start_s if made_at_s is None else made_at_s,
    )


def put(folder, name, text: bytes) -> None:
    beside = folder / "new"
    beside.write_bytes(text)
    beside.replace(folder / name)


def test_nothing_is_there_before_the_first_board(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    assert not watch.poll(0.0)
    assert watch.board is None
    assert watch.price_missing(KNOWN) == KNOWN


def test_a_newer_board_is_taken_and_an_unchanged_file_is_not_read_again(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    put(tmp_path, BOARD, encoded_board(priced(1.0)))
    assert watch.poll(1.0)
    first = watch.board
    assert not watch.poll(2.0)
    assert watch.board is first
    put(tmp_path, BOARD, encoded_board(priced(2.0, made_at_s=300.0)))
    assert watch.poll(301.0)
    assert watch.board is not first
    assert watch.price_missing(KNOWN) == ("m@texas",)


def test_an_older_board_and_one_with_errors_leave_the_old_one(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    put(tmp_path, BOARD, encoded_board(priced(1.0, made_at_s=300.0)))
    watch.poll(301.0)
    held = watch.board
    put(tmp_path, BOARD, encoded_board(priced(1.0, made_at_s=200.0)))
    assert not watch.poll(302.0)
    assert [finding.code for finding in watch.findings] == ["BOARD_OLDER"]
    put(tmp_path, BOARD, encoded_board(priced(1.0, made_at_s=400.0, share=0.5)))
    assert not watch.poll(303.0)
    assert "BOARD_SHARES" in [finding.code for finding in watch.findings]
    put(tmp_path, BOARD, b"{")
    assert not watch.poll(304.0)
    assert [finding.code for finding in watch.findings] == ["BOARD_UNREADABLE"]
    assert watch.board is held


def test_a_board_of_an_unknown_deployment_is_refused(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=("m@texas",))
    put(tmp_path, BOARD, encoded_board(priced(1.0)))
    assert not watch.poll(1.0)
    assert [finding.code for finding in watch.findings] == ["BOARD_UNKNOWN"]


def test_the_next_board_takes_over_at_the_edge_and_not_before(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    now, coming = priced(1.0), priced(2.0, hour=1, made_at_s=3_570.0)
    put(tmp_path, BOARD, encoded_board(now))
    put(tmp_path, NEXT_BOARD, encoded_board(coming))
    watch.poll(3_571.0)
    assert watch.board == now
    assert not watch.poll(3_599.9)
    assert watch.poll(3_600.0)
    assert watch.board == coming
    # the maker's rename, a moment later, changes nothing
    (tmp_path / NEXT_BOARD).replace(tmp_path / BOARD)
    assert not watch.poll(3_600.2)
    assert watch.board == coming


def test_a_worker_that_starts_before_the_edge_begins_with_the_present(tmp_path) -> None:
    put(tmp_path, BOARD, encoded_board(priced(1.0)))
    put(tmp_path, NEXT_BOARD, encoded_board(priced(2.0, hour=1, made_at_s=3_570.0)))
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    assert watch.poll(3_580.0)
    assert watch.board is not None
    assert watch.board.start_s == 0.0


def test_a_next_board_with_errors_is_told_before_its_hour(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    put(tmp_path, BOARD, encoded_board(priced(1.0)))
    put(tmp_path, NEXT_BOARD, encoded_board(priced(2.0, hour=1, share=0.5)))
    watch.poll(3_580.0)
    assert "BOARD_SHARES" in [finding.code for finding in watch.findings]
    assert not watch.poll(3_600.0)
    assert watch.board is not None
    assert watch.board.is_stale(3_600.0)


def test_what_the_maker_says_is_heard(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    put(
        tmp_path,
        FINDINGS,
        b'{"at_s":5.0,"findings":[{"code":"PRICE_NOT_CURRENT","path":"p","reason":"r",'
        b'"remedy":"x"}]}',
    )
    watch.poll(5.0)
    assert watch.maker is not None
    assert [finding.code for finding in watch.maker.findings] == ["PRICE_NOT_CURRENT"]
    put(tmp_path, FINDINGS, b"no json")
    watch.poll(6.0)
    assert [finding.code for finding in watch.findings] == ["MAKER_UNREADABLE"]


def test_a_board_that_was_read_ahead_is_taken_by_the_next_look(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    assert not watch.has_news()
    put(tmp_path, BOARD, encoded_board(priced(1.0)))
    put(tmp_path, NEXT_BOARD, encoded_board(priced(2.0, hour=1)))
    assert watch.has_news()
    watch.read_ahead()
    assert not watch.has_news()
    assert watch.board is None
    assert watch.poll(1.0)
    assert watch.board.workloads[0].rungs[0].candidates[0].high_usd_per_mtok == 1.0
    assert watch.poll(HOUR_S)
    assert watch.board.start_s == HOUR_S


def test_what_was_read_ahead_and_is_wrong_leaves_the_old_one(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=KNOWN)
    put(tmp_path, BOARD, encoded_board(priced(1.0)))
    watch.poll(1.0)
    held = watch.board
    put(tmp_path, BOARD, encoded_board(priced(2.0, made_at_s=300.0, share=0.5)))
    watch.read_ahead()
    assert not watch.poll(301.0)
    assert watch.board is held
    assert watch.findings
