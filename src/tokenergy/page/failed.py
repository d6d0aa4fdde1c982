"""What failed, where a run did: the step, the findings, what to do, and what was done before."""

from html import escape

from tokenergy.page.data import ReportData
from tokenergy.page.findings import finding_html
from tokenergy.page.html import Section


def failed(data: ReportData) -> Section:
    """Return what failed: it stands before everything that was computed until then."""
    held = data.failed or {}
    found = list(held.get("findings") or ())
    step = str(held.get("step") or "the run")
    said = f"It failed at this step: {step}. " + (
        "Nothing below is an answer to the whole question; what had been computed until then is "
        "shown as it is."
        if data.prices or data.balance
        else "Nothing had been computed until then, so that this page holds no figure."
    )
    body = f'<div class="banner fault" role="alert"><p>{escape(said)}</p></div>'
    body += "".join(map(finding_html, found))
    if not found:
        body += f"<pre>{escape(str(held.get('error') or 'no reason was given'))}</pre>"
    if held.get("ours"):
        body += "<p>This is a fault of Tokenergy, not of the company file; please report it.</p>"
    elif data.heading.get("file"):
        again = f"tokenergy report {data.heading['file']}"
        body += f"<p>Then run it again: <code>{escape(again)}</code></p>"
    return Section(anchor="failed", link="What failed", title="What failed", body=body)
