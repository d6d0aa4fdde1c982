"""The files of docs/deploy: each can be read, and says what `tokenergy serve` and its pages say."""

import configparser
import json
import shlex
from pathlib import Path
from typing import Any

import typer
import yaml
from commands import tokenergy

from tokenergy.cli.main import app
from tokenergy.company.serve import ServeLimits

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
COMPANY = "/etc/tokenergy/company.yaml"
DRAIN_S = ServeLimits().drain_s


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / "tokenergy.service").read_text(encoding="utf-8"))
    return parser


def image() -> list[tuple[str, str]]:
    """Return instructions and their words, continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def manifests() -> dict[str, Any]:
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def pod() -> Any:
    return manifests()["StatefulSet"]["spec"]["template"]["spec"]


def commands() -> dict[str, list[str]]:
    """Return the words after `tokenergy` of each file."""
    start = shlex.split(unit()["Service"]["ExecStart"])
    assert start[0].endswith("/tokenergy")
    told = dict(image())
    assert json.loads(told["ENTRYPOINT"]) == ["tokenergy"]
    return {
        "tokenergy.service": start[1:],
        "Containerfile": json.loads(told["CMD"]),
        "kubernetes.yaml": pod()["containers"][0]["args"],
    }


def test_every_file_serves_the_same_company_with_flags_that_exist(tmp_path: Path) -> None:
    help_text = tokenergy("serve", "--help", cwd=tmp_path).out
    for name, words in commands().items():
        assert words[:2] == ["serve", COMPANY], name
        flags, values = words[2::2], words[3::2]
        assert len(flags) == len(values) == len(set(flags)), name
        assert [flag for flag in flags if f"{flag} " not in help_text] == [], name
        told = dict(zip(flags, values, strict=True))
        assert (told["--port"], told["--admin-port"]) == ("8088", "9088"), name
        assert told["--data"].startswith("/var/lib/tokenergy/"), name
        assert told["--ledger"].startswith("/var/lib/tokenergy/"), name


def test_the_command_line_takes_these_words(tmp_path: Path) -> None:
    """A company that is not there is all that it minds: exit status 2, naming the file."""
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    for words in commands().values():
        with serve.make_context("serve", words[1:]) as read:
            assert (str(read.params["company"]), read.params["port"]) == (COMPANY, 8088)
    ended = tokenergy(*commands()["tokenergy.service"], cwd=tmp_path)
    assert ended.status == 2
    assert "company.yaml" in ended.err
    assert "No such option" not in ended.err


def test_each_waits_longer_than_the_drain() -> None:
    assert float(unit()["Service"]["TimeoutStopSec"]) > 2 * DRAIN_S
    assert pod()["terminationGracePeriodSeconds"] > 2 * DRAIN_S
    assert dict(image())["STOPSIGNAL"] == unit()["Service"]["KillSignal"] == "SIGTERM"


def test_nobody_is_root_and_nothing_but_the_state_can_be_written() -> None:
    service = unit()["Service"]
    assert service["User"] != "root"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    assert f"/var/lib/{service['StateDirectory']}" == service["WorkingDirectory"]
    user = int(dict(image())["USER"])
    assert user == pod()["securityContext"]["runAsUser"] != 0
    held = pod()["containers"][0]
    assert held["securityContext"]["readOnlyRootFilesystem"]
    mounts = {mount["name"] for mount in held["volumeMounts"]}
    claims = manifests()["StatefulSet"]["spec"]["volumeClaimTemplates"]
    known = {volume["name"] for volume in pod()["volumes"]}
    assert mounts == known | {claim["metadata"]["name"] for claim in claims}


def test_probes_ask_what_needs_no_key_and_the_service_finds_the_pod() -> None:
    held = pod()["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in held["ports"]}
    assert ports == {"api": 8088, "admin": 9088}
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert held[probe]["httpGet"] == {"path": path, "port": "api"}
    service = manifests()["Service"]["spec"]
    labels = manifests()["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert [port["targetPort"] for port in service["ports"]] == ["api"]


def test_one_gateway_owns_its_volume() -> None:
    assert manifests()["StatefulSet"]["spec"]["replicas"] == 1


def test_no_secret_stands_in_them() -> None:
    for file in DEPLOY.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "tk-" not in text and "://" not in text, file.name
