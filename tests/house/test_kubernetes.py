"""The manifests run what compose runs, tell it what the code reads, and are what Kubernetes takes."""

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from sqlalchemy import text

from payproc.bootstrap import load_settings, settings_type
from payproc.database.engine import Database
from payproc.jobs import Queue, provider_queue, push_queue
from payproc.providers.registry import PROVIDERS
from payproc.settings.connections import connection_problems
from tests.support.databases import ROOT

FOLDER = ROOT / "ops" / "kubernetes"
# The release that the schemas are read of; strictly, so that a misspelt field is found.
RELEASE = "1.34"
# Of KEDA and of kustomize, which bring no schemas along: held against their shape below.
FOREIGN = {"ScaledObject", "Kustomization"}
# What is told through a secret that is the cluster's own.
SECRETS = {
    "payproc-database": {"DATABASE_URL"},
    "payproc-owner": {"DATABASE_URL", "APPLICATION_PASSWORD"},
    "payproc-broker": {"BROKER_URL"},
    "payproc-flower": {"FLOWER_BASIC_AUTH"},
}
# These two listen to nobody.
UNPROBED = {"relay", "beat"}


def documents() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.rglob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in documents() if each["kind"] == kind}


def compose() -> dict[str, dict[str, Any]]:
    """Every process of ours that docker-compose.yml starts."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    return {name: told for name, told in services.items() if told["image"] == "payproc"}


def pods() -> dict[str, dict[str, Any]]:
    """What each process's pod is made of, by the process's name."""
    found = {**of_kind("Deployment"), **of_kind("Job")}
    return {name: each["spec"]["template"]["spec"] for name, each in found.items()}


def container(name: str) -> dict[str, Any]:
    [only] = pods()[name]["containers"]
    return dict(only)


def most(name: str) -> int:
    """How many of these pods may ever run at once."""
    for scaling, field in (("ScaledObject", "maxReplicaCount"), ("HorizontalPodAutoscaler", "maxReplicas")):
        if name in of_kind(scaling):
            return int(of_kind(scaling)[name]["spec"][field])
    return int(of_kind("Deployment")[name]["spec"]["replicas"])


def problem_of(manifest: dict[str, Any]) -> str | None:
    try:
        kubernetes_validate.validate(manifest, RELEASE, strict=True)
    except kubernetes_validate.ValidationError as problem:
        return str(problem)
    return None


OURS = [each for each in documents() if each["kind"] not in FOREIGN]


@pytest.mark.parametrize("manifest", OURS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_every_manifest_is_what_kubernetes_takes(manifest: dict[str, Any]) -> None:
    assert problem_of(manifest) is None


def test_a_manifest_with_a_misspelt_field_is_found_out() -> None:
    broken = of_kind("Deployment")["web"]
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    assert problem_of(broken) is not None


def test_the_kustomization_lists_every_file() -> None:
    [listed] = [each["resources"] for each in documents() if each["kind"] == "Kustomization"]
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.yaml")}
    assert sorted(listed) == sorted(files - {"kustomization.yaml"})


def test_every_process_of_compose_has_its_pod_and_no_other() -> None:
    assert set(pods()) == set(compose())
    assert set(of_kind("Job")) == {"migrate"}


@pytest.mark.parametrize("name", compose())
def test_a_pod_runs_what_compose_runs(name: str) -> None:
    said = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(word)) for word in compose()[name]["command"]]
    assert [str(word) for word in container(name)["args"]] == said


def told(name: str) -> set[str]:
    """The variables that a pod is told, but for those of payproc-serving, whose secret is whatever a provider reads."""
    found = {each["name"] for each in container(name).get("env", [])}
    for source in container(name).get("envFrom", []):
        match source:
            case {"configMapRef": {"name": shared}}:
                found |= of_kind("ConfigMap")[shared]["data"].keys()
            case {"secretRef": {"name": secret}}:
                found |= SECRETS.get(secret, set())
    return found


def read_by_the_code() -> set[str]:
    flower = set(re.findall(r'"(FLOWER_\w+)"', (ROOT / "tasks/flower_config.py").read_text(encoding="utf-8")))
    return {name.upper() for name in settings_type().model_fields} | flower | {"APPLICATION_PASSWORD"}


@pytest.mark.parametrize("name", pods())
def test_a_pod_is_told_nothing_that_the_code_does_not_read(name: str) -> None:
    assert told(name) - read_by_the_code() == set()


@pytest.mark.parametrize("name", pods())
def test_a_pod_is_told_the_servers_that_compose_tells_it_and_no_other(name: str) -> None:
    servers = {"DATABASE_URL", "BROKER_URL", "FLOWER_BASIC_AUTH", "APPLICATION_PASSWORD"}
    by_compose = {variable for variable, value in compose()[name]["environment"].items() if value}
    assert told(name) & servers == by_compose & servers


def test_only_what_speaks_to_customers_and_providers_is_told_their_secrets() -> None:
    knowing = {name for name in pods() if "payproc-serving" in str(container(name).get("envFrom"))}
    assert knowing == {name for name, each in compose().items() if "SMTP_URL" in each["environment"]}


@pytest.mark.parametrize("name", pods())
def test_a_pod_has_no_privileges_and_writes_to_scratch_alone(name: str) -> None:
    pod, inside = pods()[name], container(name)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert inside["readOnlyRootFilesystem"] is True
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= container(name)["resources"]["requests"].keys()
    assert "memory" in container(name)["resources"]["limits"]


@pytest.mark.parametrize("name", [name for name, each in compose().items() if "stop_grace_period" in each])
def test_a_pod_is_left_as_long_to_end_as_compose_leaves_it(name: str) -> None:
    waits = int(compose()[name]["stop_grace_period"].rstrip("s"))
    before = container(name).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pods()[name]["terminationGracePeriodSeconds"] >= waits + before


@pytest.mark.parametrize("name", sorted(set(of_kind("Deployment")) - UNPROBED))
def test_a_pod_is_asked_whether_it_is_ready(name: str) -> None:
    assert "readinessProbe" in container(name)


def test_web_is_asked_what_it_answers() -> None:
    probes = {probe: container("web")[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")}
    assert probes == {"liveness": "/healthz", "readiness": "/readyz"}


@pytest.mark.parametrize("name", [name for name in of_kind("Deployment") if name.startswith("worker-")])
def test_a_worker_is_asked_by_the_name_it_has(name: str) -> None:
    words = container(name)["args"]
    node = words[words.index("-n") + 1].removesuffix("@%h")
    assert f'-d "{node}@$(hostname)"' in container(name)["readinessProbe"]["exec"]["command"][-1]


def test_only_one_beat_runs_at_a_time_and_more_of_all_else_that_serves() -> None:
    assert (most("beat"), of_kind("Deployment")["beat"]["spec"]["strategy"]) == (1, {"type": "Recreate"})
    single = {name for name in of_kind("Deployment") if most(name) == 1}
    assert single == {"beat", "flower", "worker-reconcile"}


def test_what_may_be_moved_leaves_others_working() -> None:
    budgets = {name: each["spec"] for name, each in of_kind("PodDisruptionBudget").items()}
    assert set(budgets) == set(of_kind("Deployment")) - {"beat", "flower"}
    for name, budget in budgets.items():
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == of_kind("Deployment")[name]["spec"]["selector"]


def test_a_scaled_worker_counts_what_waits_in_its_own_queues() -> None:
    queues = {
        *(queue.value for queue in Queue),
        *(ask(each) for each in PROVIDERS for ask in (provider_queue, push_queue)),
    }
    for name, scaled in of_kind("ScaledObject").items():
        words = container(name)["args"]
        consumed = set(words[words.index("-Q") + 1].split(","))
        [trigger] = scaled["spec"]["triggers"]
        assert trigger["type"] == "postgresql"
        assert set(re.findall(r"'([\w.]+)'", trigger["metadata"]["query"])) - {"ready"} == consumed <= queues
        assert trigger["metadata"]["connectionFromEnv"] in told(name)
        assert scaled["spec"]["scaleTargetRef"] == {"name": name}
        assert "replicas" not in of_kind("Deployment")[name]["spec"]
        assert 2 <= scaled["spec"]["minReplicaCount"] <= most(name)


def test_what_keda_asks_the_database_answers(database_url: str) -> None:
    database = Database(database_url, pool_size=1)
    for scaled in of_kind("ScaledObject").values():
        with database.transaction() as session:
            assert session.scalar(text(scaled["spec"]["triggers"][0]["metadata"]["query"])) == 0
    database.dispose()


def processes(name: str) -> int:
    """How many processes one of these pods shares the connections among: threads are one."""
    words = container(name)["args"]
    if "--pool=threads" in words:
        return 1
    [number] = [word.partition("=")[2] for word in words if word.startswith(("--workers=", "--concurrency="))]
    return int(number)


def test_all_that_may_ever_run_has_connections() -> None:
    shares = of_kind("ConfigMap")["payproc-shares"]["data"]
    workers = [name for name in of_kind("Deployment") if name.startswith("worker-")]
    assert int(shares["WEB_PROCESSES"]) == most("web") * processes("web")
    assert int(shares["WORKER_PROCESSES"]) == sum(most(name) * processes(name) for name in workers)
    required = {
        "DATABASE_URL": "postgresql://payproc@localhost/payproc",
        "SECRET_KEY": "0123456789abcdef",
        "STRIPE_SECRET_KEY": "sk_test_payproc",
        "STRIPE_WEBHOOK_SECRET": "whsec_payproc",
    } | {name: shares[name] for name in ("DATABASE_CONNECTIONS", "WEB_PROCESSES", "WORKER_PROCESSES")}
    settings = load_settings(**{name.lower(): value for name, value in required.items()})
    assert connection_problems(settings) == []
