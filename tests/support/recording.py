"""Records every call of git that a program makes, and judges how it was made.

The record comes from a `git` on PATH that notes its arguments and becomes the real one. The judge
knows the grammar of the subcommands, as git 2.39 reads them, and nothing about gitops-ci.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.support.builder import real_git

LOG_VARIABLE = "RECORDED_GIT_LOG"

_WRAPPER = """\
#!/bin/sh
printf '%s\\0' "$#" "$@" >>"${{{variable}:-{log}}}"
exec {git} "$@"
"""


def install(directory: Path, log: Path) -> Path:
    """Put a recording `git` into `directory`, to be the first on PATH.

    It appends to `log`, or to the file that the variable `RECORDED_GIT_LOG` names.
    """
    directory.mkdir(parents=True, exist_ok=True)
    wrapper = directory / "git"
    # quoted inside "${...:-...}" a path may have anything but these
    assert not set('"$`\\}') & set(str(log)), f"{log} cannot stand in a shell's default value"
    text = _WRAPPER.format(variable=LOG_VARIABLE, log=log, git=shlex.quote(real_git()))
    wrapper.write_text(text, encoding="utf-8")
    wrapper.chmod(0o755)
    return directory


def recorded_calls(log: Path) -> tuple[tuple[str, ...], ...]:
    """The arguments of every call, in the order of their starts."""
    return tuple(_calls(log.read_bytes())) if log.exists() else ()


def _calls(raw: bytes) -> Iterator[tuple[str, ...]]:
    words = iter(raw.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for count in words:
        yield tuple(next(words) for _ in range(int(count)))


class _Kind(Enum):
    """What a positional argument is read as."""

    WORD = "word"  # a path, a repository, a key, a value: not judged
    REVISION = "revision"
    OBJECT = "object"  # may be empty: "must not exist"
    REFSPEC = "refspec"
    REF = "ref"
    PATTERN = "pattern"  # of references


@dataclass(frozen=True, slots=True)
class _Grammar:
    """How a subcommand is read.

    `kinds` are those of the positional arguments, the last one for all that follow. `values` are
    the options whose value is an argument of its own, `verbs` the words that may stand before
    `--end-of-options`; `guarded` says whether git takes `--end-of-options` there at all.
    """

    kinds: tuple[_Kind, ...] = (_Kind.WORD,)
    values: frozenset[str] = frozenset()
    revisions: frozenset[str] = frozenset()  # those of `values` that are a revision
    verbs: frozenset[str] = frozenset()
    guarded: bool = True


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_W, _REV, _OBJ, _SPEC, _REF, _PAT = _Kind
_LIMITS = _words("-n --max-count --since --until --before --after --author --grep -S -G -O")
_TRANSPORT = _words(
    "-o --upload-pack --receive-pack --exec --depth --deepen --shallow-since --shallow-exclude"
    " --negotiation-tip --server-option --push-option --refmap --repo -j --jobs"
)
_GRAMMARS: dict[str, _Grammar] = {
    "init": _Grammar(
        values=_words("-b --initial-branch --template --separate-git-dir --object-format")
    ),
    "clone": _Grammar(
        values=_TRANSPORT | _words("-b --branch -c --config --template --reference --origin")
    ),
    "fetch": _Grammar((_W, _SPEC), values=_TRANSPORT),
    "push": _Grammar((_W, _SPEC), values=_TRANSPORT),
    "ls-remote": _Grammar((_W, _PAT), values=_TRANSPORT | _words("--sort")),
    "ls-tree": _Grammar((_REV, _W)),
    "cat-file": _Grammar((_REV,), verbs=_words("commit tree blob tag")),
    "rev-parse": _Grammar((_REV,), values=_words("--default --prefix --resolve-git-dir")),
    "rev-list": _Grammar((_REV,), values=_LIMITS),
    "log": _Grammar((_REV,), values=_LIMITS),
    "show": _Grammar((_REV,), values=_LIMITS),
    "diff-tree": _Grammar((_REV,), values=_LIMITS),
    "diff": _Grammar((_REV,), values=_LIMITS),
    "merge-base": _Grammar((_REV,)),
    "merge-tree": _Grammar((_REV,), values=_words("--merge-base")),
    "commit-tree": _Grammar((_REV,), values=_words("-p -m -F --gpg-sign"), revisions=_words("-p")),
    "read-tree": _Grammar((_REV,), values=_words("--prefix --index-output")),
    "archive": _Grammar((_REV, _W), values=_words("-o --output --remote --exec --prefix")),
    "update-ref": _Grammar((_REF, _OBJ), values=_words("-m")),
    "symbolic-ref": _Grammar((_REF,), values=_words("-m")),
    "show-ref": _Grammar((_PAT,)),
    "for-each-ref": _Grammar(
        (_PAT,),
        values=_words("--count --sort --format --points-at --contains --no-contains --merged"),
        revisions=_words("--points-at --contains --no-contains --merged"),
    ),
    "config": _Grammar(values=_words("-f --file --blob --type --default")),
    "hash-object": _Grammar(values=_words("-t --path")),
    "remote": _Grammar(verbs=_words("add set-url get-url remove")),
    "add": _Grammar(),
    "status": _Grammar(),
    "commit": _Grammar(values=_words("-m -F --author --date --trailer -C -c")),
    "mktree": _Grammar(),
    "write-tree": _Grammar(),
    "pack-refs": _Grammar(),
    "fsck": _Grammar((_REV,)),
    "gc": _Grammar(),
    "version": _Grammar(),
    "http-backend": _Grammar(),
    "upload-pack": _Grammar(values=_words("--timeout")),
    "receive-pack": _Grammar(),
    "fast-import": _Grammar(guarded=False),
    "check-ref-format": _Grammar(guarded=False),
    "index-pack": _Grammar(guarded=False, values=_words("-o")),
    "unpack-objects": _Grammar(guarded=False),
    "var": _Grammar(guarded=False),
    "credential": _Grammar(guarded=False),
}

_GLOBAL_VALUES = _words("-C -c --git-dir --work-tree --namespace --exec-path --config-env")
_GUARD = "--end-of-options"
_OBJECT = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_FULL = rf"(?:{_OBJECT}|refs/[^\s~^:?*\[\\]+|HEAD|FETCH_HEAD)"
_SUFFIX = r"(?:[~^][0-9]*|\^\{[a-z]*\})*"
_POINT = rf"{_FULL}{_SUFFIX}"
_REVISION = re.compile(rf"(?:\^?{_POINT}|{_POINT}\.{{2,3}}{_POINT}|{_POINT}:.*)", re.DOTALL)
_SIDE = re.compile(rf"(?:{_FULL}|refs/[^\s~^:?\[\\]*)?")
_NAME = re.compile(r"refs/\S+|HEAD")
_PATTERN = re.compile(r"refs/\S*|HEAD")
_LEASE = "--force-with-lease="


def faults(argv: Iterable[str]) -> tuple[str, ...]:
    """What is wrong with one call, whose arguments come without the program's own name.

    Wanted are full names of references and objects, `--end-of-options` before the first
    positional argument and nothing after it that looks like an option.
    """
    words = _after_globals(tuple(argv))
    if not words or words[0] in {"--version", "--exec-path"}:
        return ()
    grammar = _GRAMMARS.get(words[0])
    if grammar is None:
        return (f"`{words[0]}` is not in the judge's grammar",)
    call = _split(words[1:], grammar)
    return (*_guard_faults(words, call, grammar), *_name_faults(call, grammar))


def subcommand(argv: tuple[str, ...]) -> str:
    """What git is asked to do, empty where nothing is."""
    return next(iter(_after_globals(argv)), "")


def _after_globals(argv: tuple[str, ...]) -> tuple[str, ...]:
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] not in {"--version", "--exec-path"}:
        del rest[: 2 if rest[0] in _GLOBAL_VALUES else 1]
    return tuple(rest)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call taken apart: the positional arguments before and after `--end-of-options`."""

    guarded: bool
    exposed: tuple[str, ...]
    covered: tuple[str, ...]
    revisions: tuple[str, ...]  # values of options
    leases: tuple[str, ...]

    @property
    def positionals(self) -> tuple[str, ...]:
        return self.exposed + self.covered


def _split(words: tuple[str, ...], grammar: _Grammar) -> _Call:
    """What follows `--` are paths, which need no judge."""
    rest = list(words)
    exposed, revisions, leases = list[str](), list[str](), list[str]()
    while rest and rest[0] not in {"--", _GUARD}:
        word = rest.pop(0)
        if not word.startswith("-"):
            exposed.append(word)
        elif word.startswith(_LEASE):
            leases.append(word.removeprefix(_LEASE))
        elif word in grammar.values and rest:
            value = rest.pop(0)
            revisions += [value] if word in grammar.revisions else []
    if exposed and exposed[0] in grammar.verbs:
        del exposed[0]
    guarded = rest[:1] == [_GUARD]
    end = rest.index("--") if "--" in rest else len(rest)
    return _Call(guarded, tuple(exposed), tuple(rest[1:end]), tuple(revisions), tuple(leases))


def _guard_faults(words: tuple[str, ...], call: _Call, grammar: _Grammar) -> Iterator[str]:
    name = words[0]
    if call.guarded and not grammar.guarded:
        yield f"`{name}` does not take `{_GUARD}`"
    if name == "rev-parse" and call.guarded and "--verify" not in words:
        yield f"`rev-parse` prints `{_GUARD}` unless it is told to `--verify`"
    if grammar.guarded and call.exposed:
        yield f"`{call.exposed[0]}` without `{_GUARD}` before it"
    for word in call.covered:
        if word.startswith("-"):
            yield f"`{word}` looks like an option"


def _name_faults(call: _Call, grammar: _Grammar) -> Iterator[str]:
    last = len(grammar.kinds) - 1
    for number, word in enumerate(call.positionals):
        yield from _judge(word, grammar.kinds[min(number, last)])
    for word in call.revisions:
        yield from _judge(word, _REV)
    for word in call.leases:
        yield from _judge(word.partition(":")[0], _REF)


def _judge(word: str, kind: _Kind) -> Iterator[str]:
    if not _JUDGES[kind](word):
        yield f"`{word}` is not a full {kind.value}"


def _is_refspec(word: str) -> bool:
    sides = word.removeprefix("+").removeprefix("^").split(":")
    return len(sides) <= 2 and any(sides) and all(map(_SIDE.fullmatch, sides))


_JUDGES: dict[_Kind, Callable[[str], object]] = {
    _W: lambda _: True,
    _REV: _REVISION.fullmatch,
    _OBJ: lambda word: not word or _REVISION.fullmatch(word),
    _SPEC: _is_refspec,
    _REF: _NAME.fullmatch,
    _PAT: _PATTERN.fullmatch,
}
