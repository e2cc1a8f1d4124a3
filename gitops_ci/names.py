"""The names that promotions are known by: what is allowed, how they are made, how they are read.

Pure. Whatever comes out of here is safe as a path segment, a git ref component, a label and a
DNS name. Untrusted text gets in only through the checks of this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

APP_LIMIT = 53  # Helm release names end there
STAGE_LIMIT = 30
VERSION_LIMIT = 64
PROJECT_LIMIT = 255
TREE_DIGITS = 12

DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
VERSION = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"

LABEL = "gitops-ci"  # every merge request of ours
PENDING = "gitops-pending"  # `reconcile` has work left on it
SUPERSEDED = "gitops-superseded"  # closed by us, not by a person
HOLD = "gitops-hold"  # a person says stop

GATE = "gitops-ci/gate"
LIVE = "gitops-ci/live"

_DNS_LABEL = re.compile(DNS_LABEL)
_VERSION = re.compile(VERSION)
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,62}[A-Za-z0-9]|[A-Za-z0-9]")
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_HEX = re.compile(r"[0-9a-f]{40}")


def app_fault(text: str) -> str | None:
    """Why `text` cannot name an application, None where it can."""
    if text == "all":
        return "`all` is reserved"
    return _label_fault(text, APP_LIMIT)


def stage_fault(text: str) -> str | None:
    """Why `text` cannot name a stage, None where it can."""
    if text in {"all", "secrets"}:
        return f"`{text}` is reserved"
    return _label_fault(text, STAGE_LIMIT)


def _label_fault(text: str, limit: int) -> str | None:
    if len(text) > limit:
        return f"{len(text)} characters where {limit} are allowed"
    if not _DNS_LABEL.fullmatch(text):
        return "lower case letters, digits and `-`, beginning and ending with a letter or digit"
    return None


def version_fault(text: str) -> str | None:
    """Why `text` cannot be a version, None where it can."""
    if len(text) > VERSION_LIMIT:
        return f"{len(text)} characters where {VERSION_LIMIT} are allowed"
    if ".." in text or text.endswith(".lock") or not _VERSION.fullmatch(text):
        return "letters, digits, `.`, `_`, `-`, no `..`, a letter or digit at both ends"
    return None


def suite_fault(text: str) -> str | None:
    """Why `text` cannot name a suite (a CI job), None where it can."""
    return (
        None
        if _SUITE.fullmatch(text)
        else "letters, digits and ` ._:/-`, at the most 64 characters"
    )


def project_fault(text: str) -> str | None:
    """Why `text` cannot be a project's path on a forge, None where it can."""
    if len(text) <= PROJECT_LIMIT and _PROJECT.fullmatch(text):
        return None
    return "it looks like `group/project`: letters, digits, `_`, `.`, `-`"


def is_commit(text: str) -> bool:
    """Whether `text` is a full SHA-1 object id in lower case."""
    return bool(_HEX.fullmatch(text))


def version_from_tag(tag: str) -> str:
    """A tag as a version: other characters become `-`, the ends are trimmed."""
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", tag)
    text = re.sub(r"\.{2,}", ".", text).strip("._-")[:VERSION_LIMIT].rstrip("._-")
    while text.endswith(".lock"):
        text = text.removesuffix(".lock").rstrip("._-")
    return text


def release_id(app: str, version: str, tree: str) -> str:
    """`shop-web-2.14.0-4be1c07d2a91`: the name of a release, the same in every stage."""
    return f"{app}-{version}-{tree[:TREE_DIGITS]}"


@dataclass(frozen=True, slots=True)
class PromotionBranch:
    """`promote/<stage>/<app>/<release id>`, with `-r2` and so on from the second attempt."""

    stage: str
    app: str
    release: str
    attempt: int = 1

    def __str__(self) -> str:
        suffix = f"-r{self.attempt}" if self.attempt > 1 else ""
        return f"promote/{self.stage}/{self.app}/{self.release}{suffix}"

    @property
    def tree_prefix(self) -> str:
        """The first digits of the release's tree id."""
        return self.release[-TREE_DIGITS:]


_BRANCH = re.compile(
    rf"promote/(?P<stage>{DNS_LABEL})/(?P<app>{DNS_LABEL})/"
    rf"(?P<release>(?P=app)-(?P<version>{VERSION})-[0-9a-f]{{{TREE_DIGITS}}})(?:-r(?P<attempt>[2-9]|[1-9][0-9]{{1,3}}))?"
)


def promotion_prefix(stage: str, app: str) -> str:
    """Where all promotion branches of one application in one stage lie."""
    return f"promote/{stage}/{app}/"


def parse_branch(text: str) -> PromotionBranch | None:
    """The promotion that a branch belongs to, None where it is not one of ours."""
    match = _BRANCH.fullmatch(text)
    if not match or app_fault(match["app"]) or stage_fault(match["stage"]):
        return None
    if version_fault(match["version"]):
        return None
    return PromotionBranch(
        match["stage"], match["app"], match["release"], int(match["attempt"] or 1)
    )


def release_fault(text: str, app: str) -> str | None:
    """Why `text` cannot be the id of a release of this application, None where it can."""
    branch = parse_branch(f"{promotion_prefix('x', app)}{text}")
    if branch is None or branch.attempt != 1:
        return f"a release of `{app}` looks like `{app}-2.14.0-4be1c07d2a91`"
    return None


def labels(stage: str, app: str) -> frozenset[str]:
    """The two labels that find the promotions of one application in one stage."""
    return frozenset({f"stage:{stage}", f"app:{app}"})


def suite_context(suite: str) -> str:
    """The commit status that records a suite's result."""
    return f"gitops-ci/suite/{suite}"


def live_job(stage: str) -> str:
    """The dev job that is green only when the release is live in `stage`."""
    return f"gitops-live-{stage}"


def image_variable(image: str) -> str:
    """The environment variable that a build job leaves an image's reference in."""
    return "GITOPS_IMAGE_" + re.sub(r"[^A-Z0-9]", "_", image.upper())
