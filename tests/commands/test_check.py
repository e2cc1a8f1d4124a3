"""`check` on real repositories: each finding, and what comes near it and is none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ci import cli, passports, release
from tests.support import builder, opsrepo
from tests.support.charts import real_helm

TOP = "environments/tst/shop-web"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2}
"""
SEALED = """\
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: shop-web}
spec: {encryptedData: {password: AgBy3i4OJSWK}}
"""
HOLD = "apiVersion: gitops-ci/v1\nkind: Hold\nreason: broken migration\nowner: olaf\n"

Files = Mapping[str, str | None]


def stage_files(
    stage: str,
    version: str,
    *,
    app: str = "shop-web",
    more: Files | None = None,
    passport: Callable[[str], str] = lambda text: text,
) -> dict[str, str]:
    """A stage directory with a true passport; `more` adds to its release."""
    content = {**opsrepo.content(app, version, opsrepo.STAGES), **(more or {})}
    kept = {path: text for path, text in content.items() if text is not None}
    tree = release.tree_id({path: text.encode() for path, text in kept.items()})
    top = f"environments/{stage}/{app}"
    text = passport(opsrepo.passport(app, version, tree, stage))
    return {
        f"{top}/release.yaml": text,
        **{f"{top}/release/{path}": text for path, text in kept.items()},
    }


@dataclass(frozen=True, slots=True)
class Repository:
    """An ops repository with one application in two stages, and a change to it."""

    path: Path
    base: str

    def change(self, files: Files, modes: Mapping[str, str] | None = None) -> str:
        return builder.commit(self.path, files, modes=modes)


@dataclass(frozen=True, slots=True)
class Checked:
    code: int
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.out)["findings"]
        return found

    @property
    def brief(self) -> list[tuple[str, str]]:
        return [(finding["rule"], finding["path"]) for finding in self.findings]


SEED = {
    "gitops-ci.yaml": opsrepo.POLICY,
    "README.md": "ours\n",
    "argocd/root.yaml": "kind: Application\n",
    "holds/old.yaml": HOLD + "release: shop-web-0.9.0-123456789012\n",
    **stage_files("itg", "1.0.0"),
    **stage_files("tst", "1.0.0"),
    **stage_files("tst", "1.0.0", app="cart"),
    f"{TOP}/values-ops.yaml": "replicas: 2\n",
}


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = builder.init(tmp_path_factory.mktemp("ops"))
    return Repository(path, builder.commit(path, SEED))


@pytest.fixture
def repository(seed: Repository, tmp_path: Path) -> Repository:
    path = tmp_path / "ops.git"
    builder.git("clone", "--quiet", "--bare", "--template=", seed.path, path)
    return Repository(path, seed.base)


Check = Callable[..., Checked]


@pytest.fixture
def check(repository: Repository, capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*args: str, base: str | None = repository.base, text: bool = False) -> Checked:
        since = ("--base", base) if base else ()
        render = () if "--helm" in args else ("--no-diff",)
        output = () if text else ("--output", "json")
        code = cli.run([
            "check",
            "--directory",
            str(repository.path),
            *since,
            *render,
            *output,
            *args,
        ])
        return Checked(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> str:
    own = tmp_path_factory.getbasetemp()
    return str(real_helm(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own).path)


NEXT = stage_files("tst", "1.1.0")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(NEXT, id="a promotion"),
        pytest.param({**NEXT, f"{TOP}/values-ops.yaml": "replicas: 3\n"}, id="with their values"),
        pytest.param({**NEXT, f"{TOP}/secrets/db.yaml": SEALED}, id="with their sealed secrets"),
        pytest.param({f"{TOP}/values-ops.yaml": "a: 1\n", "argocd/x.yaml": "a: 1\n"}, id="mixed"),
        pytest.param(dict.fromkeys(stage_files("tst", "1.0.0")), id="a removal"),
        pytest.param({"environments/prod/shop-web/values-ops.yaml": "a: 1\n"}, id="prepared"),
        pytest.param({f"{TOP}/secrets/.gitkeep": ""}, id="an empty folder"),
        pytest.param({"holds/new.yaml": HOLD + "stage: prod\n"}, id="a hold"),
        pytest.param({".gitattributes": "*.yaml text\n"}, id="attributes of the platform"),
        pytest.param({"docs/Chart.yaml": "a: 1\n"}, id="a chart file elsewhere"),
        pytest.param({"environments/tst/sealing-cert.pem": "pem\n"}, id="a certificate"),
    ],
)
def test_what_is_allowed_gives_no_finding(
    repository: Repository, check: Check, files: Files
) -> None:
    repository.change(files)
    done = check()
    assert done.findings == []
    assert done.code == 0


def in_passport(old: str, new: str) -> Files:
    return stage_files("tst", "1.1.0", passport=lambda text: text.replace(old, new))


def without(path: str) -> Files:
    """A release that lacks a file, in the passport's tree too."""
    return {**stage_files("tst", "1.1.0", more={path: None}), f"{TOP}/release/{path}": None}


CONFIGURATION = [("configuration", "gitops-ci.yaml")]
ESCAPED = '{"apiVersion": "v1", "kind": "Secr\\u0065t", "data": {"a": "Yg=="}}'
HOSTILE_CHART = stage_files("tst", "1.1.0", more={"chart/.argocd-source.yaml": "a: 1\n"})


@pytest.mark.parametrize(
    ("files", "found", "code"),
    [
        # configuration
        pytest.param({"gitops-ci.yaml": "a: ["}, CONFIGURATION, 2, id="yaml"),
        pytest.param({"gitops-ci.yaml": None}, CONFIGURATION, 2, id="gone"),
        pytest.param({"holds/new.yaml": HOLD}, [("configuration", "holds/new.yaml")], 2, id="hold"),
        # names
        pytest.param(
            {"environments/qa/shop-web/release.yaml": "a: 1\n"},
            [("name", "environments/qa/shop-web")], 4, id="unknown stage",
        ),
        pytest.param(
            {"environments/tst/Shop_Web/release.yaml": "a: 1\n"},
            [("name", "environments/tst/Shop_Web")], 4, id="impossible name",
        ),
        pytest.param(
            {"environments/tst/shop-web-secrets/values-ops.yaml": "a: 1\n",
             "environments/prod/gitops-ci/values-ops.yaml": "a: 1\n"},
            [], 0, id="names that only look taken",
        ),
        # releases
        pytest.param(
            {f"{TOP}/release.yaml": None}, [("release", TOP)], 4, id="release without passport"
        ),
        pytest.param(
            {path: None for path in stage_files("tst", "1.0.0") if "/release/" in path},
            [("release", TOP)], 4, id="passport without release",
        ),
        pytest.param(
            in_passport("app: shop-web", "app: [1]"), [("release", f"{TOP}/release.yaml")], 4,
            id="passport that cannot be read",
        ),
        pytest.param(
            {f"{TOP}/release/values.yaml": "image: {}\n"}, [("release", TOP)] * 2, 4,
            id="release edited by hand",
        ),
        pytest.param(
            in_passport("@sha256:", "-sha256."),
            [("release", TOP)] * 2,
            4,
            id="image without digest",
        ),
        pytest.param(without("values/prod.yaml"), [("release", TOP)], 4, id="no values of a stage"),
        pytest.param(in_passport("1.8.2", "1.8.3"), [("release", TOP)], 4, id="another chart"),
        pytest.param(HOSTILE_CHART, [("release", TOP)], 4, id="hostile file in the chart"),
        pytest.param(
            {path.replace("shop-web", "cart"): text for path, text in NEXT.items()},
            [("release", "environments/tst/cart")], 4, id="another application's release",
        ),
        # ownership
        pytest.param(
            {**NEXT, "README.md": "theirs\n"}, [("ownership", "README.md")], 4, id="with a readme"
        ),
        pytest.param(
            {**NEXT, "holds/new.yaml": HOLD + "stage: prod\n"}, [("ownership", "holds/new.yaml")],
            4, id="with a hold",
        ),
        pytest.param(
            {**NEXT, f"{TOP}/notes.txt": "a\n"}, [("ownership", f"{TOP}/notes.txt")], 4,
            id="with a file beside the release",
        ),
        pytest.param(
            {**NEXT, "environments/tst/cart/values-ops.yaml": "a: 1\n"},
            [("ownership", "environments/tst/cart/values-ops.yaml")], 4,
            id="with another one's values",
        ),
        pytest.param(
            {**NEXT, **stage_files("tst", "1.1.0", app="cart")}, [("ownership", TOP)], 4,
            id="two promotions",
        ),
        # secrets
        pytest.param(
            {"argocd/s.yaml": SECRET}, [("secret", "argocd/s.yaml")], 4, id="plain secret"
        ),
        pytest.param(
            {"argocd/s.yaml": f"a: 1\n---\n{SEALED}---\n{SECRET}"}, [("secret", "argocd/s.yaml")],
            4, id="last of several documents",
        ),
        pytest.param(
            {"argocd/s.yaml": SECRET.replace("\n", "\r")}, [("secret", "argocd/s.yaml")], 4,
            id="old line ends",
        ),
        pytest.param(
            {f"{TOP}/secrets/l.yml": "apiVersion: v1\nkind: List\nitems:\n- {a: 1}\n- "
             + SECRET.replace("\n", "\n  ").rstrip() + "\n"},
            [("secret", f"{TOP}/secrets/l.yml")], 4, id="in a list",
        ),
        pytest.param(
            {"argocd/s.json": ESCAPED}, [("secret", "argocd/s.json")], 4, id="in escaped JSON",
        ),
        pytest.param({"argocd/s.yaml": SEALED}, [], 0, id="a sealed secret"),
        pytest.param(
            {"argocd/s.yaml": SECRET.replace("stringData: {password: hunter2}", "type: x")},
            [], 0, id="a secret without values",
        ),
        pytest.param(
            {"argocd/s.yaml": SECRET.replace("v1", "example.com/v1")}, [], 0, id="another's Secret"
        ),
        pytest.param({"docs/s.md": SECRET}, [], 0, id="a secret in a text"),
        pytest.param({"docs/s.yaml": "kind: Secret\n  bad: ["}, [], 0, id="no YAML at all"),
        # hostile files
        *(
            pytest.param({f"{TOP}/{name}": "a: 1\n"}, [("hostile", f"{TOP}/{name}")], 4, id=name)
            for name in (
                ".gitattributes", "secrets/.gitattributes", ".argocd-source.yaml",
                ".argocd-source-shop-web.yaml", "secrets/Chart.yaml", "secrets/kustomization.yaml",
                "secrets/Kustomization", "secrets/sub/kustomization.yml",
            )
        ),
        *(
            pytest.param({path: "a: 1\n"}, [], 0, id=path)
            for path in (
                f"{TOP}/secrets/charts.yaml", f"{TOP}/.argocd.yaml", "argocd/kustomization.yaml",
                f"{TOP}/secrets/my-kustomization.yaml", f"{TOP}/.gitignore",
            )
        ),
        pytest.param(
            {"environments/tst/.gitattributes": "* binary\n"},
            [("hostile", "environments/tst/.gitattributes")], 4, id="above the directories",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_found_at_its_path(
    repository: Repository, check: Check, files: Files, found: list[tuple[str, str]], code: int
) -> None:
    repository.change(files)
    done = check()
    assert (done.brief, done.code) == (found, code)


@pytest.mark.parametrize(
    ("path", "mode", "found"),
    [
        (f"{TOP}/secrets/db.yaml", "120000", True),
        (f"{TOP}/values-ops.yaml", "120000", True),
        ("environments/prod/shop-web", "120000", True),
        ("environments/prod", "120000", True),
        (f"{TOP}/secrets/sub", "160000", True),
        ("docs/link", "120000", False),
        (f"{TOP}/secrets/db.yaml", "100755", False),
    ],
)
def test_links_and_submodules_may_not_lie_below_a_stage(
    repository: Repository, check: Check, path: str, mode: str, found: bool
) -> None:
    if mode == "160000":
        edit = f"M 160000 {repository.base} {path}\n"
        head = "commit refs/heads/main\ncommitter A <a@example.com> 1767323045 +0000\ndata 0\n"
        stream = f"{head}from refs/heads/main^0\n{edit}\n"
        builder.git("fast-import", "--quiet", cwd=repository.path, stdin=stream.encode())
    else:
        repository.change({path: "../x"}, {path: mode})
    done = check()
    assert done.brief == ([("hostile", path)] if found else [])


def test_all_findings_are_told_each_with_its_path(repository: Repository, check: Check) -> None:
    repository.change({
        **in_passport("@sha256:", "-sha256."),
        "README.md": "theirs\n",
        f"{TOP}/secrets/db.yaml": SECRET,
        f"{TOP}/.gitattributes": "* binary\n",
    })
    done = check(text=True)
    assert done.code == 4
    foreign = f"belongs to the platform team and cannot come with the promotion of `{TOP}`"
    assert done.out.splitlines() == [
        f"README.md: {foreign}",
        f"{TOP}/.gitattributes: {foreign}",
        f"{TOP}: image `web` has no digest",
        f"{TOP}: image `web` of the passport is not in `release/values.yaml`",
        f"{TOP}/.gitattributes: would steer git here, such as what a reviewer gets to see",
        f"{TOP}/secrets/db.yaml: holds the Secret `db` in plain text; seal it, and replace its"
        " values",
        "6 findings",
    ]


# --- policy of the base ------------------------------------------------------


def test_a_change_cannot_weaken_its_own_check(repository: Repository, check: Check) -> None:
    weak = opsrepo.POLICY.replace("owners: [tst-owners]", "allow-tags: true")
    repository.change({**in_passport("@sha256:", "-sha256."), "gitops-ci.yaml": weak})
    done = check()
    assert {"rule": "release", "path": TOP, "line": 0, "message": "image `web` has no digest"} in (
        done.findings
    )
    repository.change({f"{TOP}/values-ops.yaml": "b: 1\n", **stage_files("tst", "1.2.0")})
    later = check(base=builder.git("rev-parse", "main~1", cwd=repository.path))
    assert later.code == 0


def test_the_hold_that_counts_is_the_one_of_the_base(repository: Repository, check: Check) -> None:
    held = passports.parse(NEXT[f"{TOP}/release.yaml"], source="x").id
    on = repository.change({"holds/bad.yaml": HOLD + f"release: {held}\n"})
    repository.change({**NEXT, "holds/bad.yaml": None})
    done = check(base=on)
    assert done.brief == [("ownership", "holds/bad.yaml"), ("hold", TOP)]
    assert "broken migration" in done.findings[1]["message"]


def test_a_hold_on_another_release_stops_nothing(repository: Repository, check: Check) -> None:
    repository.change(NEXT)
    assert check().code == 0


def test_a_broken_base_can_be_mended(repository: Repository, check: Check) -> None:
    broken = repository.change({"gitops-ci.yaml": "a: [", "holds/x.yaml": "b: ["})
    repository.change({"gitops-ci.yaml": opsrepo.POLICY, "holds/x.yaml": None})
    assert check(base=broken).code == 0


def test_a_new_stage_comes_with_its_directories(repository: Repository, check: Check) -> None:
    policy = opsrepo.POLICY + "  - {name: qa, owners: [qa-owners]}\n"
    repository.change({"gitops-ci.yaml": policy, "environments/qa/cart/values-ops.yaml": "a: 1\n"})
    assert check().findings == []


def test_a_stage_that_is_dropped_leaves_no_directories_behind(
    repository: Repository, check: Check
) -> None:
    policy = opsrepo.POLICY.replace("name: tst", "name: qa")
    repository.change({"gitops-ci.yaml": policy})
    assert check().brief == [("name", "environments/tst/cart"), ("name", TOP)]


def test_names_that_clash_are_found_once(repository: Repository, check: Check) -> None:
    layout = "layout: {application: '{stage}-{app}'}\n"
    first = repository.change({"gitops-ci.yaml": opsrepo.POLICY + layout})
    taken = "environments/tst/shop-web-secrets/values-ops.yaml"
    clash = repository.change({taken: "a: 1\n"})
    done = check(base=first)
    assert done.brief == [
        ("name", TOP), ("name", "environments/tst/shop-web-secrets")
    ]  # fmt: skip
    repository.change({"README.md": "more\n"})
    assert check(base=clash).findings == []


# --- the base ----------------------------------------------------------------


def test_without_a_base_everything_is_checked(repository: Repository, check: Check) -> None:
    repository.change({"argocd/s.yaml": SECRET})
    repository.change({f"{TOP}/release/values.yaml": "image: {}\n"})
    done = check(base=None)
    assert done.brief == [("release", TOP), ("release", TOP), ("secret", "argocd/s.yaml")]


def test_what_others_merged_meanwhile_is_not_ours(repository: Repository, check: Check) -> None:
    builder.commit(repository.path, {"argocd/s.yaml": SECRET}, branch="other", start="main")
    repository.change(NEXT)
    assert check(base="refs/heads/other").findings == []


def test_nothing_changed_is_no_finding(check: Check) -> None:
    assert (check().code, check(text=True).out) == (0, "no findings\n")


def test_uncommitted_files_do_not_matter(
    tmp_path: Path, seed: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    builder.git("clone", "--quiet", "--template=", seed.path, work)
    builder.write_tree({"gitops-ci.yaml": "a: [", f"{TOP}/secrets/s.yaml": SECRET}, work)
    folder = str(work / "environments")
    assert cli.run(["check", "--directory", folder, "--no-diff", "--base", "HEAD"]) == 0
    assert capsys.readouterr().out == "no findings\n"


@pytest.mark.parametrize("base", ["0" * 40, "refs/remotes/origin/nowhere", "-x", ""])
def test_a_base_that_is_not_there_is_told(check: Check, base: str) -> None:
    done = check("--base", base, base=None) if base else check(base=None)
    assert done.code == (2 if base else 0)
    assert ("fetch-depth" in done.err) is bool(base)


def test_a_shallow_clone_without_the_base_is_told(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.change(NEXT)
    shallow = tmp_path / "shallow"
    builder.git(
        "clone", "--quiet", "--bare", "--depth=1", "--template=", repository.path.as_uri(), shallow
    )
    code = cli.run(["check", "--directory", str(shallow), "--no-diff", "--base", repository.base])
    assert code == 2
    assert "fetch-depth" in capsys.readouterr().err


def test_a_directory_without_git_or_commit_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["check", "--directory", str(tmp_path), "--no-diff"]) == 2
    assert cli.run(["check", "--directory", str(builder.init(tmp_path / "e")), "--no-diff"]) == 2
    assert "commit first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"GITLAB_CI": "true", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "BASE"}, 1),
        ({"GITLAB_CI": "true", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "BASE",
          "CI_MERGE_REQUEST_DIFF_BASE_SHA": "0" * 40}, 1),
        ({"GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": "main"}, 1),
        ({"GITHUB_ACTIONS": "true"}, 2),
        ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": "BASE"}, 2),
    ],
)  # fmt: skip
def test_the_runner_names_the_base(
    repository: Repository,
    check: Check,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    found: int,
) -> None:
    base = repository.change({"argocd/before.yaml": SECRET})
    builder.git("update-ref", "refs/remotes/origin/main", base, cwd=repository.path)
    repository.change({"argocd/after.yaml": SECRET})
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("BASE", base))
    assert len(check(base=None).findings) == found


def test_half_a_repository_gets_one_clear_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = builder.init(tmp_path / "half")
    builder.commit(path, {f"{TOP}/release.yaml": "a: 1\n"})
    assert cli.run(["check", "--directory", str(path), "--no-diff"]) == 2
    out = capsys.readouterr().out
    assert out == "gitops-ci.yaml: is missing; `gitops-ci init ops` writes one\n1 finding\n"


def test_hostile_names_cannot_write_lines_of_their_own(
    repository: Repository, check: Check
) -> None:
    path = "argocd/a\n::error::b\x1b[31m.yaml"
    repository.change({path: SECRET})
    assert check().brief == [("secret", path)]
    lines = check(text=True).out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("argocd/a?::error::b?[31m.yaml: ")


# --- what is rendered --------------------------------------------------------


def test_the_difference_is_shown(repository: Repository, check: Check, helm: str) -> None:
    repository.change({f"{TOP}/values-ops.yaml": "replicas: 5\n"})
    done = check("--helm", helm)
    (difference,) = json.loads(done.out)["differences"]
    assert done.code == 0
    assert difference["path"] == TOP
    (resource,) = difference["diff"]["resources"]
    assert (resource["kind"], resource["name"], resource["change"]) == (
        "Deployment", "shop-web", "changed",
    )  # fmt: skip
    assert "-  replicas: 2" in resource["text"]
    text = check("--helm", helm, text=True).out
    assert f"{TOP}:\n  changed: Deployment shop-web\n" in text
    assert "    +  replicas: 5\n" in text
    assert text.endswith("\nno findings\n")


def test_first_entry_and_retirement_show_everything(
    repository: Repository, check: Check, helm: str
) -> None:
    entered = repository.change(stage_files("perf", "1.0.0"))
    added = json.loads(check("--helm", helm).out)["differences"][0]["diff"]["resources"]
    assert {each["change"] for each in added} == {"added"}
    repository.change(dict.fromkeys(stage_files("perf", "1.0.0")))
    gone = json.loads(check("--helm", helm, base=entered).out)["differences"][0]["diff"]
    assert [each["change"] for each in gone["resources"]] == ["removed"] * len(added)


SECRET_TEMPLATE = {
    "chart/templates/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
    'data: {password: "{{ .Values.password | default "x" | b64enc }}"}\n'
}


def test_a_rendered_secret_is_found_and_its_value_is_not_shown(
    repository: Repository, check: Check, helm: str
) -> None:
    repository.change(stage_files("tst", "1.1.0", more=SECRET_TEMPLATE))
    repository.change({f"{TOP}/values-ops.yaml": "password: hunter2\n"})
    done = check("--helm", helm)
    assert (done.brief, done.code) == ([("secret", TOP)], 4)
    assert "aHVudGVyMg" not in done.out
    assert "hunter2" not in done.out


def test_a_template_that_renders_no_secret_is_none(
    repository: Repository, check: Check, helm: str
) -> None:
    template = (
        "{{- if .Values.password }}\n" + next(iter(SECRET_TEMPLATE.values())) + "{{- end }}\n"
    )
    repository.change(stage_files("tst", "1.1.0", more=dict.fromkeys(SECRET_TEMPLATE, template)))
    assert check("--helm", helm).code == 0


def test_values_that_do_not_render_are_a_finding_and_can_be_mended(
    repository: Repository, check: Check, helm: str
) -> None:
    broken = repository.change({f"{TOP}/values-ops.yaml": "resources: [\n"})
    done = check("--helm", helm)
    assert (done.brief, done.code) == ([("render", TOP)], 4)
    repository.change({f"{TOP}/values-ops.yaml": "replicas: 3\n"})
    mended = check("--helm", helm, base=broken)
    assert (mended.findings, mended.code) == ([], 0)


def test_what_cannot_be_rendered_for_want_of_a_file_is_told_once(
    repository: Repository, check: Check, helm: str
) -> None:
    repository.change(without("values/tst.yaml"))
    assert check("--helm", helm).brief == [("release", TOP)]


def test_nothing_is_started_where_nothing_is_rendered(repository: Repository, check: Check) -> None:
    repository.change({"README.md": "more\n"})
    assert check("--helm", "/nowhere/helm").code == 0
    repository.change({f"{TOP}/values-ops.yaml": "a: 2\n"})
    assert check("--helm", "/nowhere/helm").code == 1
