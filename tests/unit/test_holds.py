"""Holds: which releases they stop, and how they say so."""

from __future__ import annotations

from itertools import product

import pytest

from gitops_ci.errors import ConfigError
from gitops_ci.holds import Hold, parse_hold

RELEASE = "shop-web-2.14.0-4be1c07d2a91"
HEAD = "apiVersion: gitops-ci/v1\nkind: Hold\nreason: wrong prices\nowner: jane\n"


def test_a_hold_is_named_like_its_file() -> None:
    hold = parse_hold(f"{HEAD}app: shop-web\n", source="holds/wrong-prices.yaml")
    assert hold == Hold("wrong-prices", "wrong prices", "jane", app="shop-web")


@pytest.mark.parametrize("name", ["2.14.0", "shop-web-2.14.0-4be1c07d2a91", "a", "A_b"])
def test_a_hold_may_have_the_name_of_a_release(name: str) -> None:
    assert parse_hold(f"{HEAD}stage: prod\n", source=f"holds/{name}.yaml").name == name


@pytest.mark.parametrize("name", ["", "-x", "a..b", "a b", "a.lock", "a.", "ä", "x" * 201, "a\nb"])
def test_a_hold_cannot_have_a_name_that_git_or_a_shell_could_misread(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_hold(f"{HEAD}stage: prod\n", source=f"holds/{name}.yaml")
    assert "cannot name a hold" in caught.value.message


@pytest.mark.parametrize(("app", "stage", "release"), list(product((True, False, None), repeat=3)))
def test_a_hold_stops_what_matches_all_of_its_scopes(
    app: bool | None, stage: bool | None, release: bool | None
) -> None:
    def scope(matches: bool | None, text: str) -> str | None:
        return None if matches is None else text if matches else "other"

    hold = Hold(
        "x",
        "r",
        "o",
        app=scope(app, "shop-web"),
        stage=scope(stage, "prod"),
        release=scope(release, RELEASE),
    )
    stops = hold.stops(app="shop-web", stage="prod", release=RELEASE)
    assert stops == (False not in {app, stage, release})


@pytest.mark.parametrize(
    ("hold", "sentence"),
    [
        (Hold("x", "r", "o", app="web"), "every release of `web` in every stage"),
        (Hold("x", "r", "o", stage="prod"), "every release in `prod`"),
        (Hold("x", "r", "o", app="web", stage="prod"), "every release of `web` in `prod`"),
        (Hold("x", "r", "o", release=RELEASE), f"release `{RELEASE}` in every stage"),
        (
            Hold("x", "r", "o", release=RELEASE, app="shop-web", stage="prod"),
            f"release `{RELEASE}` of `shop-web` in `prod`",
        ),
    ],
)
def test_a_hold_says_what_it_stops(hold: Hold, sentence: str) -> None:
    assert hold.scope == sentence
