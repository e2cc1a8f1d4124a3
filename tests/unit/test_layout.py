"""Paths and names of an ops repository, and who writes what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_ci import layout
from gitops_ci.config import Layout
from gitops_ci.layout import Writer

DEFAULT = Layout()
APP_FIRST = Layout(path="{app}/{stage}")
STAGE_FIRST = Layout(path="{stage}/{app}")
CLUSTERS = Layout(path="clusters/{stage}/apps/{app}")
TEAMS = Layout(path="teams/{app}/on/{stage}/here")
ALL = (DEFAULT, APP_FIRST, STAGE_FIRST, CLUSTERS, TEAMS)

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda text: text not in {"all", "secrets", "argocd", "holds"}
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (DEFAULT, "environments/tst/shop-web"),
        (APP_FIRST, "shop-web/tst"),
        (STAGE_FIRST, "tst/shop-web"),
        (CLUSTERS, "clusters/tst/apps/shop-web"),
        (TEAMS, "teams/shop-web/on/tst/here"),
    ],
)
def test_a_directory_follows_the_template(where: Layout, expected: str) -> None:
    assert layout.directory(where, "tst", "shop-web") == expected


def test_names_follow_their_templates() -> None:
    where = Layout(application="{stage}-{app}", namespace="{app}-{stage}")
    assert layout.application(where, "tst", "shop") == "tst-shop"
    assert layout.secrets_application(where, "tst", "shop") == "tst-shop-secrets"
    assert layout.namespace(where, "tst", "shop") == "shop-tst"


def test_braces_in_a_name_are_not_filled_in_again() -> None:
    assert layout.directory(DEFAULT, "tst", "{stage.__class__}") == (
        "environments/tst/{stage.__class__}"
    )


@given(
    where=st.sampled_from(ALL),
    stage=LABELS,
    app=LABELS,
    rest=st.sampled_from(["", "release.yaml", "release/chart/a b\n.yaml"]),
)
def test_parsing_is_the_inverse_of_the_template(
    where: Layout, stage: str, app: str, rest: str
) -> None:
    path = "/".join(filter(None, (layout.directory(where, stage, app), rest)))
    assert layout.parse_directory(where, path) == (stage, app, rest)


@pytest.mark.parametrize(
    "path",
    [
        "environments/tst",
        "environments/tst/",
        "environments/tst/shop/",
        "environments/tst/shop//release.yaml",
        "environments/tst/shop/../other/release.yaml",
        "environments/tst/shop/./release.yaml",
        "environments/tst/../shop",
        "/environments/tst/shop",
        "environments/tst/Shop/release.yaml",
        "environments/tst/shop\n/release.yaml",
        "environments/tst/-shop/release.yaml",
        "environments/tst/all/release.yaml",
        "environments/all/shop/release.yaml",
        "environments/secrets/shop/release.yaml",
        f"environments/tst/{'a' * 54}/release.yaml",
        f"environments/{'a' * 31}/shop/release.yaml",
        "Environments/tst/shop/release.yaml",
        "environmentsXtst/shop/release.yaml",
        "",
    ],
)
def test_what_is_no_place_of_an_application_is_refused(path: str) -> None:
    assert layout.parse_directory(DEFAULT, path) is None


@pytest.mark.parametrize("path", ["x/tst/on/shop", "on/tst/x/shop", "on/tst/shop"])
def test_a_folder_that_the_template_names_twice_must_be_there_twice(path: str) -> None:
    where = Layout(path="on/{stage}/on/{app}")
    assert layout.parse_directory(where, path) is None
    assert layout.parse_directory(where, "on/tst/on/shop") == ("tst", "shop", "")


def test_our_own_folders_are_no_application() -> None:
    assert layout.parse_directory(APP_FIRST, "argocd/projects/x.yaml") is None
    assert layout.parse_directory(STAGE_FIRST, "holds/shop/release.yaml") is None


@pytest.mark.parametrize("where", ALL)
@pytest.mark.parametrize(
    ("rest", "writer"),
    [
        ("release.yaml", Writer.CI),
        ("release", Writer.CI),
        ("release/chart/Chart.yaml", Writer.CI),
        (layout.VALUES, Writer.CI),
        (layout.stage_values("tst"), Writer.CI),
        ("values-ops.yaml", Writer.OPERATIONS),
        ("secrets/db.yaml", Writer.OPERATIONS),
        ("release.yml", Writer.PLATFORM),
        ("Release.yaml", Writer.PLATFORM),
        ("releases/x", Writer.PLATFORM),
        ("release.yaml/x", Writer.PLATFORM),
        ("values-ops.yaml/x", Writer.PLATFORM),
        ("secrets.yaml", Writer.PLATFORM),
        ("release/../values-ops.yaml", Writer.PLATFORM),
        ("", Writer.PLATFORM),
    ],
)
def test_every_file_of_a_directory_has_one_writer(where: Layout, rest: str, writer: Writer) -> None:
    path = "/".join(filter(None, (layout.directory(where, "tst", "shop"), rest)))
    assert layout.owner(where, path) is writer


@pytest.mark.parametrize(
    ("path", "writer"),
    [
        ("holds/freeze.yaml", Writer.OPERATIONS),
        ("holds", Writer.PLATFORM),
        ("holds/../gitops-ci.yaml", Writer.PLATFORM),
        ("gitops-ci.yaml", Writer.PLATFORM),
        ("argocd/root.yaml", Writer.PLATFORM),
        (".gitattributes", Writer.PLATFORM),
        (".gitlab-ci.yml", Writer.PLATFORM),
        ("environments/tst/sealing-cert.pem", Writer.OPERATIONS),
        ("environments/sealing-cert.pem", Writer.PLATFORM),
        ("environments/all/sealing-cert.pem", Writer.PLATFORM),
        ("environments/tst/sealing-cert.pem/x", Writer.PLATFORM),
        ("sealing-cert.pem", Writer.PLATFORM),
    ],
)
def test_files_beside_the_applications_have_one_writer(path: str, writer: Writer) -> None:
    assert layout.owner(DEFAULT, path) is writer


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (DEFAULT, "environments/tst/sealing-cert.pem"),
        (APP_FIRST, "tst/sealing-cert.pem"),
        (CLUSTERS, "clusters/tst/sealing-cert.pem"),
        (TEAMS, "teams/on/tst/sealing-cert.pem"),
    ],
)
def test_the_sealing_certificate_lies_with_the_stage(where: Layout, expected: str) -> None:
    assert layout.sealing_cert(where, "tst") == expected
    assert layout.owner(where, expected) is Writer.OPERATIONS


def test_an_app_first_layout_never_lets_an_application_into_our_own_folders() -> None:
    assert layout.owner(APP_FIRST, "argocd/tst/release/chart/x.yaml") is Writer.PLATFORM


@pytest.mark.parametrize(
    ("where", "places", "expected"),
    [
        (DEFAULT, [("pre-prod", "shop"), ("prod", "shop-pre")], "both"),
        (DEFAULT, [("prod", "shop"), ("tst", "shop")], "none"),
        (DEFAULT, [("prod", "shop"), ("prod", "shop")], "none"),
        (Layout(application="{app}"), [("prod", "shop"), ("tst", "shop")], "both"),
        (Layout(application="{stage}-{app}"), [("a", "b-c"), ("a-b", "c")], "both"),
        # the Application of the secrets counts too
        (Layout(application="{stage}-{app}"), [("tst", "shop"), ("tst", "shop-secrets")], "both"),
        (DEFAULT, [("pre", "shop"), ("pre-secrets", "shop")], "both"),
        # a file system, and a DNS name, may not tell upper from lower case
        (DEFAULT, [("tst", "Shop"), ("tst", "shop")], "both"),
        # taken by the Application that applies `argocd/`
        (DEFAULT, [("root", "gitops-ci"), ("tst", "shop")], "first"),
        (APP_FIRST, [("tst", "argocd"), ("tst", "shop")], "first"),
        (APP_FIRST, [("tst", "Holds"), ("tst", "shop")], "first"),
        (DEFAULT, [("tst", "argocd"), ("tst", "holds")], "none"),
        (DEFAULT, [], "none"),
    ],
)
def test_two_places_that_share_a_name_clash(
    where: Layout, places: list[tuple[str, str]], expected: str
) -> None:
    met = {"both": places, "first": places[:1], "none": []}[expected]
    assert layout.clashes(where, places) == tuple(sorted(met))


def test_only_the_clashing_ones_of_many_are_named() -> None:
    places = [(stage, f"app-{n}") for stage in ("tst", "prod") for n in range(200)]
    places += [("pre-prod", "x"), ("prod", "x-pre")]
    assert layout.clashes(DEFAULT, iter(places)) == (("pre-prod", "x"), ("prod", "x-pre"))
