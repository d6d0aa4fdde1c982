"""Take the picture of the live page that the README opens with: a real gateway, a real browser.

    python docs/make_screenshot.py [OUT.png]

Plays the example company from an evening of its own horizon, sends requests of each workload, and
looks at the page. Needs chromium.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "pictures" / "live-page.png"
AT = "2026-03-02T18:00Z"
WIDTH_PX, HEIGHT_PX = 1440, 1000
ASKED = (("large", 120), ("small", 60), ("agent", 200))
"""Models that are asked for, and the most tokens of an answer: simulated ones take their time."""
REQUESTS_COUNT = 48
sys.path.insert(0, str(ROOT / "tests"))


def main(out: Path) -> None:
    """Start the gateway, ask it, look at its page, and write the picture."""
    from browsing import browsing, close_browser
    from serve_process import serving

    company = ROOT / "examples" / "meridian.yaml"
    with tempfile.TemporaryDirectory() as folder:
        with serving(company, folder=Path(folder), words=("--at", AT)) as gateway:

            def ask(number: int) -> Any:
                model, tokens = ASKED[number % len(ASKED)]
                messages = [{"role": "user", "content": f"Question {number}?"}]
                return gateway.ask(
                    None, {"model": model, "max_tokens": tokens, "messages": messages}
                )

            with ThreadPoolExecutor(REQUESTS_COUNT) as askers:
                list(askers.map(ask, range(REQUESTS_COUNT)))
            while gateway.ask(None, None, path="/").status != 200:
                time.sleep(0.5)  # a new release's page is being made
            with browsing(WIDTH_PX, HEIGHT_PX) as looked:
                looked.page.goto(gateway.url + "/")
                looked.until("document.querySelector('figure[data-state=drawn]')")
                looked.drawn()
                looked.page.select_option("#map-workload", "chat-america")
                looked.page.get_by_role("button", name="texas").first.click()
                time.sleep(3.0)  # a round of what stands and of what was spent
                looked.page.screenshot(path=str(out))
        close_browser()
    sys.stdout.write(f"wrote {out.name}: {out.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else OUT)
