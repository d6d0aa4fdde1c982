"""Models: the names that a tenant may ask for, those of whole ladders among them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.company.serving.plan import TenantPlan, WorkerPlan
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.serve.admission import AUTO
from tokenergy.serve.openai_error import unknown_model
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import caller_of, guarded, json_answer

SCOPE = "inference"


class ModelsApi:
    """The routes under `/v1/models`."""

    def __init__(self, side: Side) -> None:
        """Take the gateway; models are dated by its start: the company file has no dates."""
        self._side, self._created_s = side, int(side.now_s())

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/models", guarded(self.listed), methods=["GET"]),
            Route("/v1/models/{model:path}", guarded(self.retrieve), methods=["GET"]),
        ]

    async def listed(self, request: Request) -> Response:
        """List models."""
        names = self._names(request)
        return json_answer({"object": "list", "data": [self._object(name) for name in names]})

    async def retrieve(self, request: Request) -> Response:
        """Tell of one model."""
        names, asked = self._names(request), request.path_params["model"]
        if asked not in names:
            raise unknown_model(asked, names)
        return json_answer(self._object(asked))

    def _names(self, request: Request) -> tuple[str, ...]:
        caller = caller_of(self._side, request, scope=SCOPE)
        return model_names(self._side.plan, self._side.tenant(caller), caller)

    def _object(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._created_s,
            "owned_by": self._side.plan.company,
        }


def model_names(plan: WorkerPlan, tenant: TenantPlan, caller: KeyFacts) -> tuple[str, ...]:
    """Return the names that a key may ask for: ladders first, then models; all that are served."""
    served = {upstream.model for upstream in plan.upstreams}
    tiers = caller.tiers or tenant.tiers
    ladders = [load.ladder for load in plan.workloads if load.tier in tiers]
    mine = {model for ladder in ladders for model in ladder if model in served}
    whole = [alias.name for alias in plan.aliases if alias.ladder in ladders]
    return tuple(dict.fromkeys((*([AUTO] if mine else []), *sorted(whole), *sorted(mine))))
