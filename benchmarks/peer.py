"""What a peer is told about a company, and the interpreter that it runs in.

The case file holds a company's own figures (no rows, no columns), so that the peer's networks are
written independently. PyPSA is installed into benchmarks/.peers/pypsa (ignored) at the first run.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from companies import Case
from record import ROOT

from tokenergy.dispatch.world import Deployment, World

PEER = ROOT / "benchmarks" / ".peers" / "pypsa"
PEER_RELEASES = ("pypsa==1.4.0", "linopy==0.10.1", "highspy==1.16.0", "numpy==2.4.6")


def digest(case: Case) -> str:
    """Return a short name of a company's figures: other figures, another name."""
    figures = json.loads(json.dumps(as_json(case)), parse_float=lambda text: round(float(text), 9))
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()[:16]


def as_json(case: Case) -> dict[str, Any]:
    """Return a company's own figures (no rows, no columns), as the peer reads them."""
    world, state = case.world, case.state
    span = slice(world.first, world.last)
    sites = [
        {
            "name": name,
            "spot_usd_per_mwh": world.spot_usd_per_mwh[s, span].tolist(),
            "loss_share": float(world.loss_share[s]),
            "adder_usd_per_mwh": float(world.adder_usd_per_mwh[s]),
            "resale_spread_usd_per_mwh": float(world.resale_spread_usd_per_mwh[s]),
            "import_limit_mw": world.import_limit_mw[s, span].tolist(),
            "export_limit_mw": world.export_limit_mw[s, span].tolist(),
            "pue": world.pue[s, span].tolist(),
            "fixed_mw": float(world.fixed_mw[s]),
        }
        for s, name in enumerate(world.site_names)
    ]
    return {
        "name": case.name,
        "count": world.count,
        "step_h": world.step_h,
        "floor_share": list(world.floor_share),
        "sites": sites,
        "contracts": _contracts(world),
        "batteries": [
            battery.model_dump(exclude={"site"})
            | {"site": world.site_names[site], "energy_mwh": float(energy)}
            for battery, site, energy in zip(
                world.batteries, world.battery_site, state.energy_mwh, strict=True
            )
        ],
        "fleets": [
            {
                "name": fleet.name,
                "site": world.site_names[fleet.site],
                "sleep_mw_per_gpu": fleet.sleep_mw_per_gpu,
                "gpus_count": fleet.gpus_count,
                "lease_usd_per_gpu_hour": fleet.lease_usd_per_gpu_hour,
            }
            for fleet in world.fleets
        ],
        "deployments": [
            _deployment(world, deployment) | {"awake_count": float(awake)}
            for deployment, awake in zip(world.deployments, state.awake, strict=True)
        ],
        "workloads": [
            {
                "name": load.name,
                "tier": load.tier_index,
                "defer_count": load.defer_count,
                "value_usd_per_mtok": load.value_usd_per_mtok,
                "asked_quality_share": load.asked_quality_share,
                "arrivals_mtok": world.arrivals_mtok[w, span].tolist(),
                "backlog_mtok": state.backlog_mtok[w].tolist(),
            }
            for w, load in enumerate(world.workloads)
        ],
        "routes": [
            {
                "workload": world.workloads[route.workload].name,
                "deployment": world.deployments[route.deployment].name,
                "rate_mtok_per_h": route.rate_mtok_per_h,
                "marginal_mwh_per_mtok": route.marginal_mwh_per_mtok,
                "quality_share": route.quality_share,
                "network_usd_per_mtok": route.network_usd_per_mtok,
                "api_usd_per_mtok": route.api_usd_per_mtok,
            }
            for route in world.routes
        ],
    }


def _deployment(world: World, deployment: Deployment) -> dict[str, Any]:
    if deployment.external:
        limit = deployment.limit_mtok_per_h
        return {"name": deployment.name, "fleet": None, "limit_mtok_per_h": limit}
    fleet = world.fleets[deployment.fleet]
    return {
        "name": deployment.name,
        "fleet": fleet.name,
        "site": world.site_names[deployment.site],
        "gpus_count": deployment.gpus_count,
        "base_mw": deployment.base_mw,
        "wake_h": deployment.wake_h,
        "wake_mwh": deployment.wake_mwh,
    }


def _contracts(world: World) -> list[dict[str, Any]]:
    span = slice(world.first, world.last)
    takes = [
        {
            "name": take.contract_id,
            "site": world.site_names[take.site],
            "behind_the_meter": take.behind_the_meter,
            "available_mw": take.available_mw[span].tolist(),
            "floor_mw": take.floor_mw[span].tolist(),
            "usd_per_mwh": take.take_usd_per_mwh[span].tolist(),
        }
        for take in world.takes
    ]
    blocks = [
        {
            "name": block.contract_id,
            "site": world.site_names[block.site],
            "behind_the_meter": block.behind_the_meter,
            "available_mw": block.delivery_mw[span].tolist(),
            "floor_mw": block.delivery_mw[span].tolist(),
            "usd_per_mwh": np.zeros(world.count).tolist(),  # paid for anyway
        }
        for block in world.blocks
    ]
    return takes + blocks


def peer_python() -> Path:
    """Return PyPSA's interpreter; make its environment if it is not there."""
    return installed(PEER, PEER_RELEASES)


def installed(folder: Path, *batches: tuple[str, ...]) -> Path:
    """Return the interpreter of a peer's environment; make it if it is not there.

    Each of `batches` is what one install asks for: releases, and options of pip.
    """
    python, ready = folder / "bin" / "python", folder / ".ready"
    wanted = "\n".join(word for batch in batches for word in batch)
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return python
    named = [word for batch in batches for word in batch if not word.startswith("-")]
    print(f"installing {', '.join(named)} into {folder.relative_to(ROOT)}", flush=True)
    if shutil.which("uv"):
        subprocess.run(
            ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
            check=True,
        )
        install = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    for batch in batches:
        subprocess.run([*install, *batch], check=True)
    ready.write_text(wanted, encoding="utf-8")
    return python


def ask_peer(script: str, told: Any, *arguments: str, python: Path | None = None) -> Any:
    """Run one of the peer's scripts on a case file; return what it wrote.

    Args:
        script: a file of this folder.
        told: the case, as JSON takes it.
        *arguments: further words for the script.
        python: the interpreter; None: PyPSA's.

    Raises:
        SystemExit: with the end of its errors, if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.json", Path(folder) / "answered.json"
        asked.write_text(json.dumps(told), encoding="utf-8")
        file = ROOT / "benchmarks" / script
        command = [str(python or peer_python()), str(file), str(asked), str(answered), *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise SystemExit(f"the peer failed:\n{answer.stderr[-3000:]}")
        return json.loads(answered.read_text(encoding="utf-8"))
