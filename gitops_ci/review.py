"""What people read in a merge request: title, description, comments.

Pure. Every foreign value goes through `code` or `text`, so that nobody's branch, tag or message can
write Markdown, mention people or run a forge's quick action.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitops_ci import names
from gitops_ci.config import Merge, Stage, Sync
from gitops_ci.passports import Passport
from gitops_ci.progress import Seen
from gitops_ci.resources import RenderedDiff, ResourceDiff

TITLE_LIMIT = 255
BODY_LIMIT = 60_000  # GitHub refuses more than 65,536 characters

DIFF_MARKER = "<!-- gitops-ci:rendered-diff -->"
END = f"_{names.LABEL} writes the text above; what is added below stays._"
NEWS_MARKER = "<!-- gitops-ci:news -->"


def text(value: str) -> str:
    """Foreign text inside a sentence or a table cell: no Markdown, no mention, one line."""
    flat = "".join(char if char.isprintable() else " " for char in value)
    escaped = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"[\\`*_{}\[\]()#!|~@$]|^[-+/]", lambda match: f"&#{ord(match[0])};", escaped)


def code(value: str) -> str:
    """Foreign text as code: shown as it is, on one line."""
    return f"<code>{text(value)}</code>"


def fence(value: str, language: str = "") -> str:
    """A code block that its content cannot leave."""
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    ticks = "`" * max(3, longest + 1)
    shown = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in value)
    return f"{ticks}{language}\n{shown.rstrip()}\n{ticks}"


def title(passport: Passport, stage: str) -> str:
    """`Promote shop-web 2.14.0 to tst`."""
    return f"Promote {passport.app} {passport.version} to {stage}"[:TITLE_LIMIT]


def description(seen: Seen, passport: Passport, *, accepted: str | None) -> str:
    """The summary a reviewer reads first. The same promotion gives the same text."""
    parts = (
        _verdict(seen.stage, passport),
        _accepted(accepted),
        _changes(seen.current, passport),
        _origin(passport),
        _evidence(seen, passport),
        _next(seen.stage, seen.directory),
        END,
    )
    return "\n\n".join(part for part in parts if part)


def with_peoples_part(ours: str, there: str) -> str:
    """Our text, followed by what people wrote below ours."""
    _, found, theirs = there.partition(END)
    return ours + theirs if found else ours


def _verdict(stage: Stage, passport: Passport) -> str:
    release = f"**{text(passport.app)} {text(passport.version)}**"
    return f"{release} wants to enter **{stage.name}**. {_merging(stage)}"


def _merging(stage: Stage) -> str:
    gate = f"the status `{names.GATE}` is green"
    who = text(" or ".join(stage.owners)) or "anybody but the author"
    asked = f"{stage.approvals} approval{'s' if stage.approvals != 1 else ''} of {who}"
    if stage.merge is Merge.MANUAL:
        return f"It needs {asked}. A person merges it when {gate}."
    if stage.approvals:
        return f"It needs {asked}. It is merged by itself when {gate}."
    return f"It is merged by itself as soon as {gate}."


def _accepted(reason: str | None) -> str:
    return f"> Which release is newer could not be told. Accepted: {text(reason)}" if reason else ""


def _changes(current: Passport | None, new: Passport) -> str:
    old_images = {image.name: image.ref for image in current.images} if current else {}
    rows = [("version", current.version if current else "", new.version)]
    rows += [
        (f"image {image.name}", old_images.get(image.name, ""), image.ref) for image in new.images
    ]
    old_chart = f"{current.chart.name} {current.chart.version}" if current else ""
    rows.append(("chart", old_chart, f"{new.chart.name} {new.chart.version}"))
    rows.append(("release", current.id if current else "", new.id))
    return _table(("", "now", "after"), ((text(a), _was(b, c), code(c)) for a, b, c in rows))


def _was(old: str, new: str) -> str:
    if not old:
        return "nothing"
    return "the same" if old == new else code(old)


def _origin(passport: Passport) -> str:
    request = (
        f", merge request {passport.source.merge_request}" if passport.source.merge_request else ""
    )
    return f"Made from {code(passport.source.project)} at {code(passport.source.commit)}{request}."


def _evidence(seen: Seen, passport: Passport) -> str:
    """The passport's lines, and what has become a fact since it was written."""
    if not passport.evidence:
        return ""
    facts = {(e.stage, suite): result for e in seen.before for suite, result in e.suites.items()}
    rows = []
    for line in passport.evidence:
        fact = facts.get((line.stage, line.suite))
        said = f"{fact} (verified)" if fact else f"{line.result} ({line.by})"
        rows.append((text(line.stage), text(line.suite), said))
    return _table(("stage", "suite", "result"), rows)


def _next(stage: Stage, directory: str) -> str:
    sync = (
        "Argo CD applies it by itself once it is merged."
        if stage.sync is Sync.AUTO
        else f"Once it is merged, the owners of {stage.name} press Sync in Argo CD."
    )
    return f"{sync} To go back, revert the merge: {code(directory)} then holds what it holds now."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


# --- comments ----------------------------------------------------------------


def diff_key(head: str, directory_tree: str) -> str:
    """Marks what a rendered diff was made of, so that it is made once."""
    return f"<!-- head={head} target={directory_tree} -->"


def diff_comment(diff: RenderedDiff, *, key: str, remarks: Iterable[str] = ()) -> str:
    """The rendered difference, folded by resource, as many whole resources as fit."""
    lines = [DIFF_MARKER, key]
    lines += [f"**Attention:** {remark}\n" for remark in remarks]
    lines += [f"**What the cluster will be told** ({_counts(diff)})", ""]
    room, left = BODY_LIMIT - sum(map(len, lines)), 0
    for block in map(_folded, diff.resources):
        if len(block) > room:
            left += 1
            continue
        room -= len(block)
        lines.append(block)
    if left:
        lines.append(f"More resources differ ({left}); `gitops-ci check` prints them all.")
    return "\n".join(lines)


def _folded(resource: ResourceDiff) -> str:
    where = f"{resource.namespace}/" if resource.namespace else ""
    summary = f"{resource.change}: {code(f'{resource.kind} {where}{resource.name}')}"
    body = fence(resource.text, "diff")
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>\n"


def unused_image(name: str) -> str:
    """A remark: the most likely reason is a key that the chart does not read."""
    return f"image {code(name)} is in no manifest; does the chart read the key it is written to?"


def no_diff_comment(why: str, *, key: str) -> str:
    """Said where the manifests cannot be rendered."""
    return (
        f"{DIFF_MARKER}\n{key}\n**The manifests cannot be rendered:**\n\n{fence(why[:BODY_LIMIT])}"
    )


def short(said: str, limit: int = 140) -> str:
    """A sentence for a commit status: GitHub allows 140 characters."""
    flat = " ".join(said.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _counts(diff: RenderedDiff) -> str:
    if not diff.resources:
        return "no resource changes"
    kinds = [resource.change for resource in diff.resources]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))


def closing_comment(why: str, link: str) -> str:
    """Why we closed a merge request, and where it goes on."""
    return f"{NEWS_MARKER}\nClosed by {names.LABEL}: {why}{f': {link}' if link else ''}"
