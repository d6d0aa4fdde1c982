"""What engines say runs and waits, read from real pages on this machine."""

from engine_server import Reply, engine_server, vllm_page
from serve_plans import plan_of, upstream_of

from tokenergy.api.engine_scraper import EngineScraper


def test_running_and_waiting_are_summed_over_a_deployment() -> None:
    """Two engines of `a` with 2 + 1 and 4 + 3 requests: 10; `b` has no page, `c` is silent."""
    pages = {
        "/one": vllm_page(running=2, waiting=1),
        "/two": vllm_page(running=4, waiting=3),
    }

    def answer(path: str, query: dict[str, list[str]]) -> Reply:
        return Reply(pages[path]) if path in pages else Reply(status=503)

    with engine_server(answer) as server:
        plan = plan_of(
            upstream_of("a-1", "a", metrics_url=server.url + "/one"),
            upstream_of("a-2", "a", metrics_url=server.url + "/two"),
            upstream_of("b-1", "b"),
            upstream_of("c-1", "c", metrics_url=server.url + "/none"),
        )
        with EngineScraper(plan) as scraper:
            assert scraper.requests_by_deployment() == {"a": 10}
            assert [one.code for one in scraper.findings["c-1"]] == ["METRICS_UNREACHABLE"]
            pages["/none"] = vllm_page(running=0, waiting=5)
            pages.pop("/two")
            assert scraper.requests_by_deployment() == {"a": 3, "c": 5}
            assert set(scraper.findings) == {"a-2"}


def test_one_page_behind_two_upstreams_counts_once() -> None:
    with engine_server(vllm_page(running=2, waiting=1, model="m")) as server:
        url = server.url + "/metrics"
        plan = plan_of(
            upstream_of("a-1", "a", metrics_url=url), upstream_of("a-2", "a", metrics_url=url)
        )
        with EngineScraper(plan) as scraper:
            assert scraper.requests_by_deployment() == {"a": 3}


def test_without_pages_nothing_is_told() -> None:
    with EngineScraper(plan_of(upstream_of("a"))) as scraper:
        assert scraper.requests_by_deployment() == {}
        assert scraper.findings == {}


def test_a_bad_address_is_told_without_its_password() -> None:
    plan = plan_of(upstream_of("a", metrics_url="ftp://me:s3cret@engine/metrics"))
    with EngineScraper(plan) as scraper:
        assert scraper.requests_by_deployment() == {}
        assert [one.code for one in scraper.findings["a"]] == ["METRICS_BAD_URL"]
        assert "s3cret" not in str(scraper.findings)
