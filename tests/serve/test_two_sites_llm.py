"""Two sites of a real language model behind a gateway: an exact bill, traffic where it is cheap.

Both servers are llama.cpp on one thread of this machine; what power costs at their sites stands in
two files of hourly prices, which the test writes anew while the gateway runs.
"""

import re
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import tokenergy
from serve_process import Answer, Gateway, serving
from small_llm import ANSWERS_WITHIN_S, RunningLlm, need_llm, running_llm

pytestmark = pytest.mark.slow  # a real model on one thread: a second and more for each answer

ROOT = Path(__file__).resolve().parents[2]
SITES = ("paris", "oslo")
CHEAP_USD_PER_MWH, DEAR_USD_PER_MWH = 10.0, 400.0
BOARD_EVERY_S = 10.0
TOKENS = 12
"""Of each answer: asked for, and never fewer (`ignore_eos`)."""
PROMPTS = (
    "Why is the sky blue in the evening?",
    "Name three rivers of Europe.",
    "What does a power meter count?",
    "Who wrote the first computer program?",
)


@pytest.fixture(scope="module")
def pair() -> Iterator[Mapping[str, RunningLlm]]:
    """One server for each site."""
    need_llm()
    with running_llm() as paris, running_llm() as oslo:
        yield dict(zip(SITES, (paris, oslo), strict=True))


class Prices:
    """Files of hourly prices, the same at all hours; they are replaced, never written into."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, **usd_per_mwh: float) -> None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        hours = [midnight + timedelta(hours=at) for at in range(-60 * 24, 30 * 24)]
        for site, price in usd_per_mwh.items():
            lines = ["utc,usd_per_mwh", *(f"{hour:%Y-%m-%dT%H:%MZ},{price}" for hour in hours)]
            fresh = self._folder / f"{site}.new"
            fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
            fresh.replace(self._folder / f"{site}.csv")


def company(pair: Mapping[str, RunningLlm], *, mean_requests_per_s: float) -> str:
    """Return examples/serve.yaml with one tier and one tenant, those servers, those price files."""
    tree: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "serve.yaml").read_text("utf-8"))
    for site in tree["sites"]:
        site["market"]["price"] = {"file": f"{site['name']}.csv", "column": "usd_per_mwh"}
    tree["tiers"] = [one for one in tree["tiers"] if one["name"] == "chat"]
    tree["workloads"] = [one for one in tree["workloads"] if one["tier"] == "chat"]
    tree["workloads"][0]["arrivals"] = {"mean_requests_per_s": mean_requests_per_s}
    del tree["budgets"]
    serve = tree["serve"]
    for upstream, llm in zip(serve["upstreams"], pair.values(), strict=True):
        upstream |= {"url": llm.url, "metrics_url": llm.metrics_url}
    serve["tenants"] = [{"name": "shop", "tiers": ["chat"], "origin": "france"}]
    serve["prices"] = [one for one in serve["prices"] if one.get("tier", "chat") == "chat"]
    serve["board_every_s"] = BOARD_EVERY_S
    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text


@contextmanager
def shop(
    pair: Mapping[str, RunningLlm], folder: Path, prices: Prices, *, mean_requests_per_s: float
) -> Iterator["Shop"]:
    prices.put(paris=CHEAP_USD_PER_MWH, oslo=DEAR_USD_PER_MWH)
    file = folder / "delta.yaml"
    file.write_text(company(pair, mean_requests_per_s=mean_requests_per_s), encoding="utf-8")
    with serving(file, folder=folder, tenants=("shop",)) as gateway:
        yield Shop(gateway)


class Shop:
    """A tenant that asks."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._asked_count = 0

    def ask(self, path: str = "/v1/chat/completions", **more: Any) -> Answer:
        """Ask something that was not asked before, for exactly `TOKENS`, without the cache."""
        self._asked_count += 1
        text = f"{self._asked_count}. {PROMPTS[self._asked_count % len(PROMPTS)]}"
        body: dict[str, Any] = {"model": "chat-auto", "cache_prompt": False, "ignore_eos": True}
        if path == "/v1/responses":
            body |= {"input": text, "max_output_tokens": TOKENS}
        else:
            body |= {"messages": [{"role": "user", "content": text}], "max_tokens": TOKENS}
        answer = self.gateway.ask(
            self.gateway.key("shop"), body | more, path=path, timeout_s=ANSWERS_WITHIN_S
        )
        assert answer.status == 200, answer.body
        return answer

    def site(self) -> str:
        """Ask, and return the site of the answer."""
        return self.ask().headers["x-tokenergy-site"]

    def ledger(self, requests_count: int) -> dict[str, dict[str, Any]]:
        """Return the sums of `tokenergy ledger` by site, once so many requests are in it."""
        words = ("ledger", str(self.gateway.ledger), "--by", "tenant,model,site", "--json")
        until_s = time.monotonic() + 30.0
        while True:
            told = tokenergy(*words, cwd=self.gateway.data).json()
            rows = {row["site"]: row for row in told["sums"] if row.get("requests_count")}
            seen_count = sum(row["requests_count"] for row in rows.values())
            if seen_count >= requests_count or time.monotonic() > until_s:
                assert seen_count == requests_count
                return rows
            time.sleep(0.2)


def counters(llm: RunningLlm) -> tuple[int, int]:
    """Return the engine's own counts: input and output tokens since it began."""
    with urllib.request.urlopen(llm.metrics_url, timeout=ANSWERS_WITHIN_S) as answer:
        page = answer.read().decode()
    names = ("prompt_tokens_total", "tokens_predicted_total")
    found = [re.search(rf"^llamacpp:{name} (\S+)$", page, re.MULTILINE) for name in names]
    first, second = (int(float(one.group(1))) for one in found if one is not None)
    return first, second


def test_traffic_follows_the_price_and_the_ledger_is_the_engines_counters(
    pair: Mapping[str, RunningLlm], tmp_path: Path
) -> None:
    """First Paris is cheap, then Oslo; each answer has `TOKENS` of output, whole or in a stream."""
    began = {site: counters(llm) for site, llm in pair.items()}
    prices = Prices(tmp_path)
    with shop(pair, tmp_path, prices, mean_requests_per_s=0.05) as asking:
        answer = asking.ask()
        assert float(answer.headers["x-tokenergy-joules"]) > 0.0
        assert answer.headers["x-tokenergy-meter-tier"] == "calibrated"  # as the file measured it
        assert answer.json["usage"]["completion_tokens"] == TOKENS
        assert {asking.site() for _ in range(3)} == {"paris"}
        assert b"data: [DONE]" in asking.ask(stream=True).body
        prices.put(paris=DEAR_USD_PER_MWH, oslo=CHEAP_USD_PER_MWH)
        changed_s, asked_count = time.monotonic(), 5
        while True:
            asked_count += 1
            begun_s = time.monotonic()
            if asking.site() == "oslo":
                break
            assert begun_s - changed_s < 2 * BOARD_EVERY_S, "the price has changed, traffic has not"
        assert begun_s - changed_s <= BOARD_EVERY_S + 5.0  # 5 s: making the board on a busy machine
        assert {asking.site() for _ in range(3)} == {"oslo"}
        asking.ask(stream=True)
        asking.ask("/v1/responses")
        rows = asking.ledger(asked_count + 5)
        usage = {site: (row["input_tokens"], row["output_tokens"]) for site, row in rows.items()}
        spent = {
            site: tuple(now - then for now, then in zip(counters(llm), began[site], strict=True))
            for site, llm in pair.items()
        }
        assert usage == spent
        assert sum(row["cached_input_tokens"] for row in rows.values()) == 0
        assert sum(output for _, output in usage.values()) == TOKENS * (asked_count + 5)
        assert min(row["energy_mwh"] for row in rows.values()) > 0.0
        # 20 and 60 USD per million tokens of input and output: whole nano-dollars a token
        owed = {site: 20_000 * taken + 60_000 * made for site, (taken, made) in usage.items()}
        assert {site: row["charged_nano_usd"] for site, row in rows.items()} == owed


def test_where_one_site_is_too_small_tokens_are_shared_as_the_program_says(
    pair: Mapping[str, RunningLlm], tmp_path: Path
) -> None:
    """More is awaited than one processor can do: the wheel gives each site its share of tokens.

    Every request has the same tokens of output, so shares of requests are shares of tokens: after n
    requests a site may have at most one more, or one less, than n times its share.
    """
    with shop(pair, tmp_path, Prices(tmp_path), mean_requests_per_s=1.4) as asking:
        shares = _shares(asking.gateway)
        assert min(shares.values()) > 0.1, shares
        asked_count = 16
        with ThreadPoolExecutor(2) as two:
            sites = list(two.map(lambda _: asking.site(), range(asked_count)))
        rows = asking.ledger(asked_count)
    assert {site: sites.count(site) for site in SITES} == {
        site: rows[site]["requests_count"] for site in SITES
    }
    for site, share in shares.items():
        assert abs(rows[site]["output_tokens"] - share * asked_count * TOKENS) <= TOKENS, shares


def _shares(gateway: Gateway) -> dict[str, float]:
    """Return what share of the workload the board in force gives each site."""
    from tokenergy.serve.board_file import decoded_board

    board = decoded_board((gateway.data / "board.json").read_bytes()).board
    assert board is not None
    [load] = board.workloads
    return {one.site: one.share for one in load.rungs[0].candidates}
