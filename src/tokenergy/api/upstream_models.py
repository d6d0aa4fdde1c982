"""Whether the servers behind a gateway have the models that its company file says they have."""

import http.client
import json
import os
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

from tokenergy.company.check.serving import BYTES_PER_TOKEN
from tokenergy.company.finding import Finding
from tokenergy.company.serving.plan import UpstreamPlan, WorkerPlan

WAIT_S: Final = 2.0
ANSWER_BYTES: Final = 1_000_000
"""A longer list of models is not read to its end, and is no list."""
AT_ONCE_COUNT: Final = 16


def upstream_findings(
    plan: WorkerPlan, *, wait_s: float = WAIT_S, environment: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Ask every server for its models, all at once, and say what does not fit the company file.

    A server that has another model is an error: what it runs would be priced and billed as what
    was asked for. One that does not answer now, or has no list, is a warning. No redirect is
    followed and no proxy of the environment is used.

    Args:
        plan: of the gateway; simulated servers are not asked.
        wait_s: longest time for a server to take the call, and between two parts of its answer.
        environment: where the servers' keys are; None: this process's own.
    """
    held = os.environ if environment is None else environment
    asked = [(at, each) for at, each in enumerate(plan.upstreams) if each.kind == "openai"]
    if not asked:
        return ()
    with ThreadPoolExecutor(max_workers=min(AT_ONCE_COUNT, len(asked))) as pool:
        told = pool.map(lambda one: _held(one[0], one[1], plan, wait_s, held), asked)
        return tuple(finding for findings in told for finding in findings)


def _held(
    at: int, upstream: UpstreamPlan, plan: WorkerPlan, wait_s: float, held: Mapping[str, str]
) -> list[Finding]:
    path = f"serve.upstreams[{at}]"
    if upstream.key_env is not None and not held.get(upstream.key_env):
        return [
            Finding(
                code="UPSTREAM_KEY_MISSING",
                path=f"{path}.key_env",
                value=upstream.key_env,
                reason=f"the environment has no such variable: upstream {upstream.name!r} would "
                "refuse everything",
                remedy="Set it where the gateway starts",
            )
        ]
    try:
        models = _models(upstream, wait_s, held)
    except (OSError, http.client.HTTPException, ValueError) as fault:
        reason = f"it tells no models: {_words(fault)}"
        remedy = "Start it, or correct its url; it is used as soon as it answers"
        return [_warning("UPSTREAM_SILENT", path, upstream, reason, remedy)]
    if upstream.served_model not in models:
        return [
            Finding(
                code="UPSTREAM_OTHER_MODELS",
                path=f"{path}.served_model",
                value=upstream.served_model,
                limit=", ".join(sorted(models)[:10]),
                reason=f"upstream {upstream.name!r} does not list this model: another one would "
                "answer under its name, or none",
                remedy="State in served_model what the server lists",
            )
        ]
    context = models[upstream.served_model].get("max_model_len")
    if isinstance(context, int) and plan.limits.body_bytes < BYTES_PER_TOKEN * context:
        reason = (
            f"a text that fills its {context} tokens of context is longer than the longest body, "
            f"{plan.limits.body_bytes} bytes"
        )
        where = "serve.limits.body_bytes"
        return [_warning("BODY_BELOW_CONTEXT", where, upstream, reason, "Raise body_bytes")]
    return []


def _warning(code: str, path: str, upstream: UpstreamPlan, reason: str, remedy: str) -> Finding:
    return Finding(
        code=code, path=path, value=upstream.name, reason=reason, remedy=remedy, severity="warning"
    )


def _words(fault: Exception) -> str:
    """Return a fault without what the server said: it may repeat what it was sent."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault) if isinstance(fault, _NoList) else type(fault).__name__


class _NoList(ValueError):
    """An answer that is no list of models."""


def _models(
    upstream: UpstreamPlan, wait_s: float, held: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return what a server says of its models, by their names.

    Raises:
        OSError: if it cannot be reached.
        HTTPException: if it does not speak HTTP.
        ValueError: if it answers something else than a list.
    """
    parts = urlsplit(upstream.url)
    host = parts.hostname or ""
    line: http.client.HTTPConnection = (
        http.client.HTTPSConnection(
            host, parts.port, timeout=wait_s, context=ssl.create_default_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=wait_s)
    )
    head = {"Accept": "application/json", "Connection": "close"}
    if upstream.key_env is not None:
        head["Authorization"] = f"Bearer {held[upstream.key_env]}"
    try:
        line.request("GET", f"{parts.path.rstrip('/')}/v1/models", headers=head)
        answer = line.getresponse()
        text = answer.read(ANSWER_BYTES)
    finally:
        line.close()
    if answer.status != 200:
        raise _NoList(f"it answers {answer.status} to /v1/models")
    tree = json.loads(text)
    rows = tree.get("data") if isinstance(tree, dict) else None
    if not isinstance(rows, list):
        raise _NoList("it answers no list to /v1/models")
    return {row["id"]: row for row in rows if isinstance(row, dict) and "id" in row}
