"""What Argo CD and the forge are told about an ops repository."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from ruamel.yaml import YAML

from gitops_ci import manifests
from gitops_ci.config import Layout, Merge, OpsRepository, Stage, Sync
from gitops_ci.errors import ConfigError
from gitops_ci.manifests import Source, Teams

URL = "https://git.example/org/ops.git"
SOURCE = Source(URL)
TEAMS = Teams(group="org")
ITG = Stage("itg", Merge.AUTO, Sync.AUTO, approvals=0, secrets_sync=Sync.AUTO)
TST = Stage("tst", owners=("tst-owners",), requires=("integration-tests",))
PROD = Stage("prod", owners=("prod-owners",), approvals=2)
OPS = OpsRepository(stages=(ITG, TST, PROD))
ARGO = "argoproj.io/v1alpha1"
COVERS = "argocd.argoproj.io/manifest-generate-paths"
SUBSCRIBED = {"notifications.argoproj.io/subscribe.gitops-ci.gitops-ci": ""}
FIRST = {"argocd.argoproj.io/sync-wave": "-1"}
APP = "{{index .path.segments 2}}"

HOSTILE = (
    'https://git.example/a"\\.git',
    "https://git.example/#x:y.git",
    "https://git.example/{{.path.path}}.git",
    "https://git.example/{{{{x}}}}.git",
    "https://git.example/'%{x}.git",
)


def documents(text: str, *, version: tuple[int, int] = (1, 1)) -> list[Any]:
    """All documents as a reader of that YAML version takes them; Kubernetes reads 1.1."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    return list(yaml.load_all(io.StringIO(text)))


def files(ops: OpsRepository = OPS, source: Source = SOURCE) -> dict[str, str]:
    return dict(manifests.argocd(ops, source))


def sets(stage: Stage, layout: Layout | None = None, source: Source = SOURCE) -> tuple[Any, Any]:
    apps, secrets = documents(manifests.sets(stage, layout or Layout(), source))
    return apps, secrets


def head(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": ARGO,
        "kind": kind,
        "metadata": {"name": name, "namespace": "argocd", **metadata},
    }


def generated(name: str, path: str, template: dict[str, Any]) -> dict[str, Any]:
    return head("ApplicationSet", name) | {
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {"git": {"repoURL": URL, "revision": "main", "directories": [{"path": path}]}}
            ],
            "syncPolicy": {
                "applicationsSync": "create-update",
                "preserveResourcesOnDeletion": True,
            },
            "template": template,
        }
    }


def app_template(stage: str, annotations: dict[str, str], policy: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{APP}-{stage}",
            "labels": {"gitops-ci/stage": stage, "gitops-ci/app": APP},
            "annotations": annotations,
        },
        "spec": {
            "project": stage,
            "source": {
                "repoURL": URL,
                "targetRevision": "main",
                "path": "{{.path.path}}",
                "helm": {
                    "releaseName": APP,
                    "valueFiles": [
                        "../values.yaml",
                        f"../values/{stage}.yaml",
                        "../../values-ops.yaml",
                    ],
                    "ignoreMissingValueFiles": True,
                },
            },
            "destination": {"name": stage, "namespace": APP},
            "syncPolicy": policy
            | {"syncOptions": ["CreateNamespace=true", "ServerSideApply=true"]},
        },
    }


def secrets_template(
    stage: str, metadata: dict[str, Any], policy: dict[str, Any]
) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{APP}-{stage}-secrets"} | metadata,
        "spec": {
            "project": f"{stage}-secrets",
            "source": {"repoURL": URL, "targetRevision": "main", "path": "{{.path.path}}"},
            "destination": {"name": stage, "namespace": APP},
            "syncPolicy": policy | {"syncOptions": ["CreateNamespace=true"]},
        },
    }


# --- structure


def test_every_stage_has_a_file_of_projects_and_one_of_application_sets() -> None:
    assert set(files()) == {
        "argocd/root.yaml",
        *(f"argocd/projects/{s}.yaml" for s in ("itg", "tst", "prod")),
        *(f"argocd/applicationsets/{s}.yaml" for s in ("itg", "tst", "prod")),
    }


def test_the_sets_of_a_manual_stage_wait_for_a_person() -> None:
    assert sets(TST) == (
        generated(
            "tst-apps",
            "environments/tst/*/release/chart",
            app_template("tst", {COVERS: "../.."} | SUBSCRIBED, {}),
        ),
        generated(
            "tst-secrets",
            "environments/tst/*/secrets",
            secrets_template("tst", {"annotations": {COVERS: "."}}, {}),
        ),
    )


def test_the_sets_of_an_automatic_stage_sync_by_themselves_and_compare_every_commit() -> None:
    automated = {
        "automated": {"prune": True, "selfHeal": True},
        "retry": {"limit": 5, "refresh": True},
    }
    assert sets(ITG) == (
        generated(
            "itg-apps",
            "environments/itg/*/release/chart",
            app_template("itg", SUBSCRIBED, automated),
        ),
        generated(
            "itg-secrets",
            "environments/itg/*/secrets",
            secrets_template("itg", {}, {"automated": {"prune": False, "selfHeal": True}}),
        ),
    )


@pytest.mark.parametrize("apps", list(Sync))
@pytest.mark.parametrize("secrets", list(Sync))
def test_applications_and_secrets_are_synced_each_in_its_own_way(apps: Sync, secrets: Sync) -> None:
    found = sets(replace(TST, sync=apps, secrets_sync=secrets))
    for made, sync in zip(found, (apps, secrets), strict=True):
        template = made["spec"]["template"]
        assert ("automated" in template["spec"]["syncPolicy"]) == (sync is Sync.AUTO)
        assert (COVERS in template["metadata"].get("annotations", {})) == (sync is Sync.MANUAL)


def test_a_project_lets_owners_sync_and_keeps_secrets_out() -> None:
    apps, _ = documents(manifests.projects(TST, SOURCE))
    assert apps == head("AppProject", "tst", annotations=FIRST) | {
        "spec": {
            "sourceRepos": [URL],
            "destinations": [{"name": "tst", "namespace": "!{kube-*,argocd}"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            "namespaceResourceBlacklist": [
                {"group": "", "kind": "Secret"},
                {"group": "bitnami.com", "kind": "SealedSecret"},
            ],
            "roles": [
                {"name": "ci", "policies": ["p, proj:tst:ci, applications, get, tst/*, allow"]},
                {
                    "name": "owner",
                    "groups": ["tst-owners"],
                    "policies": [
                        "p, proj:tst:owner, applications, get, tst/*, allow",
                        "p, proj:tst:owner, applications, sync, tst/*, allow",
                    ],
                },
            ],
        }
    }


def test_the_project_of_the_secrets_takes_nothing_but_sealed_secrets() -> None:
    _, secrets = documents(manifests.projects(TST, SOURCE))
    policy = "p, proj:tst-secrets:ci, applications, get, tst-secrets/*, allow"
    assert secrets == head("AppProject", "tst-secrets", annotations=FIRST) | {
        "spec": {
            "sourceRepos": [URL],
            "destinations": [{"name": "tst", "namespace": "!{kube-*,argocd}"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            "namespaceResourceWhitelist": [{"group": "bitnami.com", "kind": "SealedSecret"}],
            "roles": [{"name": "ci", "policies": [policy]}],
        }
    }


def test_a_stage_without_owners_gives_nobody_the_right_to_sync() -> None:
    apps, _ = documents(manifests.projects(ITG, SOURCE))
    assert [role["name"] for role in apps["spec"]["roles"]] == ["ci"]


def test_several_owners_are_groups_of_one_role() -> None:
    apps, _ = documents(manifests.projects(replace(TST, owners=("a", "org/b", "on")), SOURCE))
    assert apps["spec"]["roles"][1]["groups"] == ["a", "org/b", "on"]


def test_the_root_applies_projects_and_application_sets_and_nothing_else() -> None:
    project, application = documents(manifests.root(SOURCE))
    here = {"server": "https://kubernetes.default.svc", "namespace": "argocd"}
    assert project == head("AppProject", "platform") | {
        "spec": {
            "sourceRepos": [URL],
            "destinations": [here],
            "namespaceResourceWhitelist": [
                {"group": "argoproj.io", "kind": "AppProject"},
                {"group": "argoproj.io", "kind": "ApplicationSet"},
            ],
        }
    }
    assert application == head("Application", "gitops-ci-root") | {
        "spec": {
            "project": "platform",
            "source": {
                "repoURL": URL,
                "targetRevision": "main",
                "path": "argocd",
                "directory": {"recurse": True, "exclude": "root.yaml"},
            },
            "destination": here,
            "syncPolicy": {
                "automated": {"prune": False, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true"],
            },
        }
    }


@pytest.mark.parametrize("path", sorted(files()))
def test_readers_of_both_yaml_versions_see_the_same(path: str) -> None:
    text = files()[path]
    assert documents(text, version=(1, 1)) == documents(text, version=(1, 2))
    assert text.startswith("# ")
    assert text.endswith("\n")


def test_the_same_configuration_gives_the_same_bytes() -> None:
    assert manifests.argocd(OPS, SOURCE) == manifests.argocd(OPS, SOURCE)


# --- layouts, clusters, branches


@pytest.mark.parametrize(
    ("template", "path", "segment"),
    [
        ("{app}/{stage}", "*/tst", 0),
        ("{stage}/{app}", "tst/*", 1),
        ("clusters/{stage}/apps/{app}", "clusters/tst/apps/*", 3),
        ("apps/{app}/on/{stage}/here", "apps/*/on/tst/here", 1),
    ],
)
def test_the_folder_that_names_the_application_is_counted(
    template: str, path: str, segment: int
) -> None:
    layout = Layout(path=template, application="{stage}-x-{app}", namespace="{app}-{stage}")
    apps, secrets = sets(TST, layout)
    app = f"{{{{index .path.segments {segment}}}}}"
    for made, holds, suffix in ((apps, "release/chart", ""), (secrets, "secrets", "-secrets")):
        spec = made["spec"]
        assert spec["generators"][0]["git"]["directories"] == [{"path": f"{path}/{holds}"}]
        assert spec["template"]["metadata"]["name"] == f"tst-x-{app}{suffix}"
        assert spec["template"]["spec"]["destination"]["namespace"] == f"{app}-tst"
    assert path.split("/")[segment] == "*"


def test_a_stage_goes_to_the_cluster_that_it_names() -> None:
    stage = replace(TST, cluster="in-cluster")
    places = [made["spec"]["template"]["spec"]["destination"]["name"] for made in sets(stage)]
    places += [
        made["spec"]["destinations"][0]["name"]
        for made in documents(manifests.projects(stage, SOURCE))
    ]
    assert places == ["in-cluster"] * 4


def test_the_branch_is_followed_everywhere() -> None:
    text = "".join(files(source=Source(URL, "on")).values())
    revisions = [line.split(": ")[1] for line in text.splitlines() if "evision: " in line]
    assert set(revisions) == {'"on"'}
    assert len(revisions) == 1 + 3 * 4


# --- values that want out


@pytest.mark.parametrize("url", HOSTILE)
def test_an_address_stays_an_address(url: str) -> None:
    source = Source(url)
    seen = [documents(text) for text in files(source=source).values()]
    ordinary = [documents(text) for text in files().values()]
    assert _keys(seen) == _keys(ordinary)
    apps, secrets = sets(TST, source=source)
    for made in (apps, secrets):
        assert made["spec"]["generators"][0]["git"]["repoURL"] == url
        inside = made["spec"]["template"]["spec"]["source"]["repoURL"]
        assert inside.replace('{{"{{"}}', "\0").count("{{") == 0
        assert inside.replace('{{"{{"}}', "{{") == url


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    return [_keys(item) for item in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    "text",
    [
        *("no", "on", "y", "null", "~", "1", "1e3", "0x1", "1_000", "2026-01-02", "<<", "="),
        *("", " ", "a: b", "a #", "- a", "'", '"', "\\", "a\nb", "a\r\n---\nb", "\t", "\x85"),
        *("\u2028", "\ufeff", "ü", "😀", "\x00", "\x7f", "!!x", "&a", "*a", "{{x}}", "%x", "@x"),
        *("a-", "tst", "tst-owners"),
    ],
)
@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_any_text_survives_as_a_scalar(text: str, version: tuple[int, int]) -> None:
    written = f"a:\n  - {manifests.scalar(text)}\nb: 1\n"
    assert documents(written, version=version) == [{"a": [text], "b": 1}]


def test_a_plain_name_is_written_plainly() -> None:
    assert manifests.scalar("tst-owners") == "tst-owners"


@pytest.mark.parametrize("owner", ["a\n/ @evil", "a b", "@", "a #", "", "a//b", "ä"])
def test_an_owner_cannot_break_out_of_code_owners(owner: str) -> None:
    ops = OpsRepository(stages=(replace(TST, owners=(owner,)),))
    for text in (manifests.gitlab_codeowners, manifests.github_codeowners):
        with pytest.raises(ConfigError):
            text(ops, TEAMS)


@pytest.mark.parametrize("owner", ['a"\n    - name: evil', "x: y", "null"])
def test_an_owner_cannot_break_out_of_a_project(owner: str) -> None:
    apps, _ = documents(manifests.projects(replace(TST, owners=(owner,)), SOURCE))
    assert apps["spec"]["roles"][1]["groups"] == [owner]
    assert len(apps["spec"]["roles"]) == 2


def test_a_cluster_name_cannot_break_out() -> None:
    hostile = 'x"\n  sourceRepos: ["*"]\n{{.path}}'
    stage = replace(TST, cluster=hostile)
    apps, _ = documents(manifests.projects(stage, SOURCE))
    assert apps["spec"]["destinations"][0]["name"] == hostile
    assert apps["spec"]["sourceRepos"] == [URL]
    inside = sets(stage)[0]["spec"]["template"]["spec"]["destination"]["name"]
    assert inside.replace('{{"{{"}}', "{{") == hostile


@pytest.mark.parametrize(
    "layout",
    [
        Layout(path="{stage}/{app}{{.path}}"),
        Layout(path='environments"\n/{stage}/{app}'),
        Layout(application='{app}"'),
        Layout(namespace="{{.path.path}}"),
    ],
)
def test_a_layout_cannot_break_out(layout: Layout) -> None:
    ops = replace(OPS, layout=layout)
    with pytest.raises(ConfigError):
        manifests.argocd(ops, SOURCE)
    with pytest.raises(ConfigError):
        manifests.gitlab_codeowners(ops, TEAMS)
    with pytest.raises(ConfigError):
        manifests.github_codeowners(ops, TEAMS)
    with pytest.raises(ConfigError):
        manifests.gitattributes(ops)


@pytest.mark.parametrize(
    "url",
    ["", "ops", "https://git.example/a b", "https://x/\n- y", "-u https://x", "https://x/ü"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Source(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://oauth2:glpat-secret@git.example/ops.git",
        "https://ghp-secret@git.example/ops.git",
        "ssh://git:secret@git.example/ops.git",
    ],
)
def test_an_address_with_a_credential_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Source(url)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "url",
    ["git@git.example:org/ops.git", "ssh://git@git.example:2222/ops.git", "file:///srv/ops.git"],
)
def test_addresses_of_every_kind_are_taken(url: str) -> None:
    assert documents(manifests.root(Source(url)))[0]["spec"]["sourceRepos"] == [url]


@pytest.mark.parametrize("branch", ["", "-x", "a b", "a\nb", "{{x}}", '"'])
def test_what_is_no_branch_is_refused(branch: str) -> None:
    with pytest.raises(ConfigError):
        Source(URL, branch)


@pytest.mark.parametrize(
    "names",
    [
        ("platform",),
        ("default",),
        ("tst", "tst-secrets"),
        ("tst-secrets", "tst"),
        ("tst", "tst"),
        ("secrets",),
        ("t\n# st",),
    ],
)
def test_a_stage_whose_project_would_be_anothers_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        manifests.argocd(OpsRepository(stages=tuple(map(Stage, names))), SOURCE)


# --- the forge


def test_code_owners_on_gitlab_are_sections_of_the_reviewed_stages() -> None:
    assert _rules(manifests.gitlab_codeowners(OPS, TEAMS)) == [
        "[Platform] @org/platform",
        "/argocd/",
        "/gitops-ci.yaml",
        "/.gitattributes",
        "/.gitlab/",
        "/.gitlab-ci.yml",
        "[TST] @org/tst-owners",
        "/environments/tst/",
        "[PROD][2] @org/prod-owners",
        "/environments/prod/",
        "[Operations] @org/operations",
        "/holds/",
        "/environments/*/sealing-cert.pem",
        "/environments/*/*/values-ops.yaml",
        "/environments/*/*/secrets/",
    ]


def test_code_owners_on_github_stand_on_every_line() -> None:
    assert _rules(manifests.github_codeowners(OPS, TEAMS)) == [
        "/argocd/ @org/platform",
        "/gitops-ci.yaml @org/platform",
        "/.gitattributes @org/platform",
        "/.github/ @org/platform",
        "/environments/tst/ @org/tst-owners",
        "/environments/prod/ @org/prod-owners",
        "/holds/ @org/operations",
        "/environments/*/sealing-cert.pem @org/operations",
        "/environments/*/*/values-ops.yaml @org/operations",
        "/environments/*/*/secrets/ @org/operations",
    ]


def _rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    "stage", [ITG, replace(ITG, owners=("itg-owners",)), Stage("tst"), replace(TST, owners=())]
)
def test_a_stage_that_merges_by_itself_or_has_no_owner_has_no_rule(stage: Stage) -> None:
    ops = OpsRepository(stages=(stage,))
    for text in (manifests.gitlab_codeowners(ops, TEAMS), manifests.github_codeowners(ops, TEAMS)):
        assert f"/environments/{stage.name}/" not in text


@pytest.mark.parametrize(
    ("group", "owner", "expected"),
    [
        ("org", "tst-owners", "@org/tst-owners"),
        ("a/b", "tst-owners", "@a/b/tst-owners"),
        ("org", "other/team", "@other/team"),
        ("org", "@alice", "@alice"),
        ("", "alice", "@alice"),
    ],
)
def test_an_owner_is_mentioned_with_the_group(group: str, owner: str, expected: str) -> None:
    ops = OpsRepository(stages=(replace(TST, owners=(owner,)),))
    teams = Teams(group=group)
    assert f"[TST] {expected}\n" in manifests.gitlab_codeowners(ops, teams)
    assert f"/environments/tst/ {expected}\n" in manifests.github_codeowners(ops, teams)


@pytest.mark.parametrize(
    ("template", "stage_path", "secrets"),
    [
        ("{app}/{stage}", "/*/tst/", "/*/*/secrets/"),
        ("clusters/{stage}/apps/{app}", "/clusters/tst/", "/clusters/*/apps/*/secrets/"),
    ],
)
def test_code_owners_follow_the_layout(template: str, stage_path: str, secrets: str) -> None:
    text = manifests.gitlab_codeowners(replace(OPS, layout=Layout(path=template)), TEAMS)
    assert {stage_path, secrets} <= set(text.splitlines())


def test_attributes_keep_bytes_and_fold_what_need_not_be_read() -> None:
    assert _rules(manifests.gitattributes(OPS)) == [
        "/environments/** -text",
        "/environments/*/*/release/chart/** gitlab-generated linguist-generated",
        "/environments/*/*/release/values/*.yaml gitlab-generated linguist-generated",
        *(
            f"/environments/{s}/*/release/values/{s}.yaml -gitlab-generated -linguist-generated"
            for s in ("itg", "tst", "prod")
        ),
    ]


@pytest.mark.parametrize(
    ("template", "kept"),
    [("{app}/{stage}", "/*/*/** -text"), ("clusters/{stage}/apps/{app}", "/clusters/** -text")],
)
def test_attributes_follow_the_layout(template: str, kept: str) -> None:
    text = manifests.gitattributes(replace(OPS, layout=Layout(path=template)))
    assert kept in text.splitlines()
