"""Writes the generated pages of the reference from what the program itself knows.

`python -m scripts.reference` writes `commands.md`, `configuration.md`, `exit-codes.md` and
`outputs.md` in `docs/reference/`; with `--check` it writes nothing and ends with 1 where a page is
out of date.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gitops_ci import ci, config, credentials, errors
from gitops_ci.cli import cli
from gitops_ci.errors import Exit
from gitops_ci.live import LiveState
from gitops_ci.promotion import Word

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- made by `python -m scripts.reference`; change the program, not this page -->"

Rows = Iterator[tuple[str, ...]]


def pages() -> dict[str, str]:
    """Every generated page, by its file name."""
    makers: Mapping[str, Callable[[], str]] = {
        "commands.md": commands,
        "configuration.md": configuration,
        "exit-codes.md": exit_codes,
        "outputs.md": outputs,
    }
    return {name: f"{MADE}\n\n{make().rstrip()}\n" for name, make in makers.items()}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or say which ones are out of date."""
    stale = [name for name, text in pages().items() if _old(name) != text]
    for name in stale:
        if "--check" in arguments:
            print(f"out of date: docs/reference/{name}", file=sys.stderr)
        else:
            REFERENCE.mkdir(parents=True, exist_ok=True)
            (REFERENCE / name).write_text(pages()[name], encoding="utf-8", newline="\n")
            print(f"wrote docs/reference/{name}")
    return int(bool(stale) and "--check" in arguments)


def _old(name: str) -> str | None:
    path = REFERENCE / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table; a `|` in a cell is escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        f"| {' | '.join(c.replace('|', chr(92) + '|') for c in line)} |" for line in lines
    )


def code(text: str) -> str:
    """Text as code, nothing where there is none."""
    return f"`{text}`" if text else ""


# --- commands ----------------------------------------------------------------


def commands() -> str:
    """One section a command: what it does, how it is called, its options."""
    found = list(leaves(cli, "gitops-ci"))
    summary = table(
        ("command", "does"),
        (
            (f"[`{name}`](#{name.replace(' ', '-')})", c.get_short_help_str(200))
            for name, c in found
        ),
    )
    sections = "\n\n".join(_command(name, command) for name, command in found)
    return f"""\
# Commands

Every option can be given by an environment variable, too; the option wins. The variable of a
repeatable option separates several values by lines or commas. Data goes to standard
output (`--output json` where a program reads it), everything else to standard error. What a command
leaves for later jobs is in [outputs](outputs.md), how it ends in [exit codes](exit-codes.md).

{summary}

{sections}
"""


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something itself, with the words that call it."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        if found:
            yield from leaves(found, f"{name} {each}")


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    options = [_option(p, context) for p in command.params if isinstance(p, click.Option)]
    parts = [f"## {name}", inspect.cleandoc(command.help or ""), f"```text\n{usage}\n```"]
    if options:
        parts.append(table(("option", "variable", "default", "meaning"), iter(options)))
    return "\n\n".join(parts)


def _option(option: click.Option, context: click.Context) -> tuple[str, ...]:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {code(option.make_metavar(context))}"
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
    meaning = (option.help or "").replace("<", "&lt;")
    return names + value, ", ".join(map(code, variables)), _default(option), meaning


def _default(option: click.Option) -> str:
    value = option.default
    if option.required:
        return "required"
    if option.is_flag or isinstance(value, bool) or not isinstance(value, (str, int, Path)):
        return ""
    return code(str(value))


# --- configuration -----------------------------------------------------------

_NOTE = {"release": "More: [passport](passport.md)."}


def configuration() -> str:
    """Every key of every kind of file."""
    sections = "\n\n".join(_kind(kind) for kind in config.KINDS)
    return f"""\
# Configuration

Four kinds of YAML files. A key that is not listed here is an error; every finding is told with
file, line and key. `gitops-ci schema {config.KINDS[0]}` prints the JSON Schema, for editors.
Anchors, aliases, merge keys, tags and several documents in one file are refused: two readers of
such a file may see two different things.

`a[].b` is the key `b` of every entry of the list `a`. Keys with a * are required.

{sections}
"""


def _kind(kind: str) -> str:
    schema: dict[str, Any] = json.loads(config.schema_text(kind))
    rows = table(("key", "type", "default", "meaning"), _keys(schema, ""))
    said = " ".join(filter(None, (schema["description"], _NOTE.get(kind))))
    return f"## {schema['title']}\n\n{said}\n\n{rows}"


def _keys(node: Mapping[str, Any], prefix: str) -> Rows:
    required = node.get("required", ())
    for key, value in node.get("properties", {}).items():
        name = f"{prefix}{key}"
        star = " *" if key in required else ""
        yield code(name) + star, _type(value), _shown(value), value["description"]
        inner = value.get("items", value)
        yield from _keys(inner, f"{name}[]." if "items" in value else f"{name}.")


def _type(node: Mapping[str, Any]) -> str:
    if "const" in node:
        return code(node["const"])
    if "enum" in node:
        return " or ".join(code(word) for word in node["enum"])
    kind = node.get("type", "")
    if kind == "array":
        return f"list of {_type(node['items'])}" if "items" in node else "list"
    if kind == "object":
        return "mapping"
    if kind == "integer":
        low, high = node.get("minimum"), node.get("maximum")
        return "number" if low is None or high is None else f"number, {low} to {high}"
    return "`true` or `false`" if kind == "boolean" else str(node.get("title", "text"))


def _shown(node: Mapping[str, Any]) -> str:
    if "default" not in node:
        return ""
    default = node["default"]
    return code(default if isinstance(default, str) and default else json.dumps(default))


# --- exit codes --------------------------------------------------------------

_MEANING = {
    Exit.DONE: ("done, or nothing to do", "go on"),
    Exit.FAILED: ("failed: git, the forge or the release itself", "stop; read the message"),
    Exit.USAGE: ("wrong use, configuration or token", "stop; mend what the message names"),
    Exit.NOT_YET: (
        "not yet: a person, the cluster or a clock has to move first",
        "end the job without an alarm; run it again later",
    ),
    Exit.REFUSED: ("refused by a rule, which the message names", "stop; a person has to decide"),
    Exit.BUG: ("a bug in the program, with versions and traceback", "report it"),
    Exit.TEMPORARY: ("the forge, the network or the disk failed", "run it again, at once or later"),
    Exit.INTERRUPTED: ("interrupted (SIGINT)", "run it again; it goes on where it was"),
    Exit.TERMINATED: ("terminated (SIGTERM)", "run it again; it goes on where it was"),
}  # fmt: skip


def exit_codes() -> str:
    """The codes, and the errors that end in them."""
    rows = table(
        ("code", "meaning", "what a pipeline does"),
        ((code(str(int(each))), *_MEANING[each]) for each in Exit),
    )
    return f"""\
# Exit codes

{rows}

Where one run has several outcomes (`reconcile` looks at many promotions), the most severe one
counts: 70, 1, 2, 75, 4, 3, 0. A promotion that waits for people is an ordinary outcome of
`reconcile`: it ends with 0. Running any command again is always safe.

How a pipeline handles 3 and 75: [promote from a pipeline](../how-to/promote-from-a-pipeline.md).

## Kinds of errors

```text
{inspect.cleandoc(errors.__doc__ or "")}
```
"""


# --- outputs -----------------------------------------------------------------

_OUTPUTS = {
    "GITOPS_RESULT": "what came of `promote` in one word, see below",
    "GITOPS_RELEASE": "id of the release; `promote` and `wait` of later jobs read it",
    "GITOPS_TREE": "git id of `release/`",
    "GITOPS_STAGE": "the stage that was asked for",
    "GITOPS_BRANCH": "the promotion's branch, empty where there is none",
    "GITOPS_COMMIT": "its commit; for a release that is there already the merge commit",
    "GITOPS_MERGE_REQUEST": "number of the merge request",
    "GITOPS_MERGE_REQUEST_URL": "its address",
    "GITOPS_LIVE": "what `wait` saw, see below",
}

_WORDS = {
    Word.OPENED: "proposed now",
    Word.OPEN: "proposed before; its merge request was brought up to date",
    Word.UNCHANGED: "the stage holds this release already",
    Word.SUPERSEDED: "a newer release is there, or on its way",
    Word.WAITING: "the stage before has not had it live, or evidence is missing",
    Word.DECLINED: "a person closed its merge request",
    Word.REVERTED: "it was merged, and the stage holds it no more",
    Word.FOREIGN: "the branch holds commits that are not ours, or aims elsewhere",
    Word.REFUSED: "a rule forbids it",
}

_LIVE = {
    LiveState.PENDING: "on its way, or nothing can be said yet (3)",
    LiveState.WAITING: "merged, waits for the owner's Sync (3)",
    LiveState.LIVE: "live (0)",
    LiveState.FAILED: "its sync failed, or it is degraded (1)",
    LiveState.OVERTAKEN: "a newer release runs, and this one was never seen live (4)",
}

_RUNNER = {
    "GITLAB_CI": "says that this is GitLab",
    "CI_PROJECT_PATH": "the project",
    "CI_COMMIT_SHA": "the source commit",
    "CI_COMMIT_TAG": "the version, where a tag is built",
    "CI_MERGE_REQUEST_IID": "the merge request",
    "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "what the merge request is compared with",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": "the same, where the forge tells no other",
    "GITHUB_ACTIONS": "says that this is GitHub",
    "GITHUB_REPOSITORY": "the project",
    "GITHUB_SHA": "the source commit",
    "GITHUB_REF_NAME": "the version, where a tag is built",
    "GITHUB_REF_TYPE": "whether a tag is built",
    "GITHUB_BASE_REF": "what the pull request is compared with",
    "GITHUB_OUTPUT": "file that outputs are written to",
    "GITHUB_STEP_SUMMARY": "file that the summary is written to",
}


def outputs() -> str:
    """What commands leave for later jobs, and what they read of the runner."""
    same("outputs", _OUTPUTS, dictionary_keys(ROOT / "gitops_ci" / "cli", "GITOPS_"))
    found = re.findall(r'"((?:CI|GITHUB)_[A-Z_]+|GITLAB_CI)"', inspect.getsource(ci))
    same("variables of a runner", _RUNNER, set(found))
    left = table(("output", "content"), ((code(k), v) for k, v in _OUTPUTS.items()))
    words = table(("word", "meaning"), ((code(word), _WORDS[word]) for word in Word))
    live = table(("state", "meaning"), ((code(state), _LIVE[state]) for state in LiveState))
    runner = table(("variable", "read for"), ((code(k), v) for k, v in _RUNNER.items()))
    return f"""\
# Job outputs and variables

`promote` and `wait` leave lines `NAME=value` in the file that `{ci.DOTENV}` names (for GitLab's
`artifacts:reports:dotenv`), else in `$GITHUB_OUTPUT`; values never hold a line break. The first one
is written anew each time. To the second, and to the job's summary on GitHub, they append.

{left}

## `GITOPS_RESULT`

{words}

Which situation gives which word: [promotion table](promotion-table.md).

## `GITOPS_LIVE`

In brackets the exit code of `wait`.

{live}

## What is read besides options

| variable | read for |
| --- | --- |
| `{credentials.TOKEN}` | the token; on the `local` forge it is the name of who acts |
| `{ci.DOTENV}` | file that outputs are written to |
| `GITOPS_IMAGE_<NAME>` | an image's reference, left by a build job; `-` is `_` |
| `GITOPS_RELEASE` | the release, for later jobs: it is the variable of `--release` |

Of a runner's own variables only these are read:

{runner}
"""


def dictionary_keys(folder: Path, prefix: str) -> set[str]:
    """The literal keys of dictionaries in the modules of a folder that begin with `prefix`."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.py")))
    keys = (
        key.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    )
    return {key for key in keys if key.startswith(prefix)}


def same(
    what: str, told: Sequence[str] | Mapping[str, str], found: Sequence[str] | set[str]
) -> None:
    """Refuse to write a page that the program has left behind."""
    if set(told) != set(found):
        raise SystemExit(f"{what}: told {sorted(told)}, the program has {sorted(found)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
