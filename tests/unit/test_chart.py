"""What may be vendored, and what is refused with its name."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from gitops_ci import chart
from gitops_ci.chart import Chart, Dependency
from gitops_ci.errors import ConfigError
from tests.support.charts import chart_yaml, packed, sample

PLAIN = {"Chart.yaml": chart_yaml(), "templates/web.yaml": b"a: 1\n"}
REDIS = {"Chart.yaml": chart_yaml("redis", "17.0.1"), "values.yaml": b"a: 1\n"}


def needs(version: str = "17.0.1", repository: str = "https://charts.example.com") -> bytes:
    return chart_yaml(
        more="dependencies:\n"
        f'  - name: redis\n    version: "{version}"\n    repository: "{repository}"\n'
    )


def with_redis(parent: bytes, content: dict[str, bytes] = REDIS) -> dict[str, bytes]:
    return {"Chart.yaml": parent} | {f"charts/redis/{n}": c for n, c in content.items()}


def findings(files: dict[str, bytes], special: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        chart.inspect(files, special=special, at="deploy/chart")
    return str(caught.value).splitlines()


def tar(*members: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return stream.getvalue()


def member(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, "/etc/passwd" if size == 0 else ""
    return info


# --- accepted ----------------------------------------------------------------


def test_a_plain_chart_is_known_by_name_and_version() -> None:
    assert chart.inspect(PLAIN) == Chart("web", "1.8.2")


def test_the_sample_application_may_be_vendored() -> None:
    root = "deploy/chart/"
    files = {n.removeprefix(root): c for n, c in sample().items() if n.startswith(root)}
    assert chart.inspect(files) == Chart("web", "1.8.2")


@pytest.mark.parametrize(
    "name",
    [
        ".helmignore",
        "README.md",
        "files/ünïcode.txt",
        "templates/_helpers.tpl",
        "a b/c",
        "x~y",
        "..a",
    ],
)
def test_ordinary_names_are_kept(name: str) -> None:
    assert chart.inspect(PLAIN | {name: b""}).name == "web"


@pytest.mark.parametrize("wanted", ["17.0.1", "v17.0.1", "=17.0.1", "^17.0.0", "17.x.x", ">=1 <18"])
def test_a_sub_chart_of_the_wanted_version_is_accepted(wanted: str) -> None:
    found = chart.inspect(with_redis(needs(wanted)))
    assert found.dependencies == (Dependency("redis", "17.0.1"),)


def test_a_packed_sub_chart_from_a_registry_is_accepted() -> None:
    files = {"Chart.yaml": needs(), "charts/redis-17.0.1.tgz": packed(REDIS)}
    assert chart.inspect(files).dependencies == (Dependency("redis", "17.0.1"),)


def test_the_directory_of_a_sub_chart_may_have_another_name_as_for_helm() -> None:
    files = {"Chart.yaml": needs()} | {f"charts/cache/{n}": c for n, c in REDIS.items()}
    assert chart.inspect(files).dependencies == (Dependency("redis", "17.0.1"),)


def test_sub_charts_without_any_list_are_accepted_as_helm_does() -> None:
    assert chart.inspect(with_redis(chart_yaml())).dependencies == (Dependency("redis", "17.0.1"),)


def test_dependencies_of_an_old_chart_are_read_from_requirements_yaml() -> None:
    old = b"apiVersion: v1\nname: web\nversion: 1.8.2\n"
    listed = b"dependencies:\n- {name: redis, version: 17.0.1}\n"
    files = with_redis(old) | {"requirements.yaml": listed}
    assert chart.inspect(files).dependencies == (Dependency("redis", "17.0.1"),)
    assert (
        "`redis` is not in `charts/`"
        in findings({"Chart.yaml": old, "requirements.yaml": listed})[0]
    )


def test_the_lock_file_says_which_version_of_a_range_is_meant() -> None:
    lock = b"dependencies:\n- {name: redis, version: 17.0.1, repository: ''}\n"
    assert chart.inspect(with_redis(needs("^17.0.0")) | {"Chart.lock": lock}).dependencies


def test_entries_that_helm_ignores_are_no_sub_charts() -> None:
    ignored = {"charts/.keep": b"", "charts/_old/x": b"", "charts/redis-17.0.1.tgz.prov": b""}
    assert len(chart.inspect(with_redis(needs()) | ignored).dependencies) == 1


# --- refused: files ----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        ".git/config", ".gitmodules", ".gitattributes", "templates/.gitattributes",
        ".GITATTRIBUTES", ".gitignore", ".Git/hooks/pre-commit", "charts/a/.git",
        ".argocd-source.yaml", ".argocd-source-shop.yaml", "charts/a/.argocd-source.yaml",
        "../escape.yaml", "/etc/passwd", "a//b", "./a", "a/..", "",
        "a\\b", "c:evil", "trailing.", "trailing ", "dir./x", "git~1", "GIT~1/config",
        "new\nline", "bell\x07", "tab\t", "\u202egnp.yaml", ".g\u200cit/config", "bad\udcff",
        "x" * 256,
    ],
)  # fmt: skip
def test_a_hostile_name_is_refused_with_its_name(name: str) -> None:
    lines = findings(PLAIN | {name: b""})
    assert len(lines) == 1
    assert lines[0].startswith("deploy/chart/")
    assert lines[0].isprintable()


@pytest.mark.parametrize("name", ["templates/link.yaml", "pipe", ".git"])
def test_what_is_no_regular_file_is_refused(name: str) -> None:
    assert [line for line in findings(PLAIN, (name,)) if f"deploy/chart/{name}: " in line]


def test_all_findings_are_told_at_once() -> None:
    lines = findings(PLAIN | {".gitattributes": b"", "a:b": b""}, ("link",))
    assert [line.split(": ")[0] for line in lines] == [
        "deploy/chart/link", "deploy/chart/.gitattributes", "deploy/chart/a:b",
    ]  # fmt: skip


def test_a_chart_with_too_many_files_is_refused() -> None:
    many = {f"files/{number}": b"" for number in range(chart.MAX_FILES)}
    assert "2002 files" in findings(PLAIN | many)[0]


def test_a_chart_that_is_too_large_is_refused_and_the_largest_file_named() -> None:
    lines = findings(PLAIN | {"files/dump.sql": b"x" * chart.MAX_BYTES})
    assert "files/dump.sql" in lines[0]


# --- refused: Chart.yaml -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: web\nversion: 1.8.2\n", ":1: $.apiVersion: "),
        ("apiVersion: v3\nname: web\nversion: 1.8.2\n", ":1: $.apiVersion: "),
        ("apiVersion: v2\nversion: 1.8.2\n", ":1: $.name: "),
        ("apiVersion: v2\nname: ../web\nversion: 1.8.2\n", ":2: $.name: "),
        ("apiVersion: v2\nname: web\nversion: 1.8\n", ":3: $.version: "),
        ("apiVersion: v2\nname: web\nversion: latest\n", ":3: $.version: "),
        ("apiVersion: v2\nname: web\n", ":1: $.version: "),
        ("- web\n", ":1: $: "),
        ("apiVersion: v2\nname: web\nname: two\nversion: 1.8.2\n", ":3: $"),
        ("apiVersion: v2\nname: web\nversion: 1.8.2\ndependencies: redis\n", ":4: $.dependencies"),
        (
            "apiVersion: v2\nname: web\nversion: 1.8.2\ndependencies:\n- name: 7\n",
            ":5: $.dependencies",
        ),
        ("apiVersion: [v2\n", ""),
    ],
)
def test_a_broken_chart_yaml_is_refused_with_line_and_path(text: str, where: str) -> None:
    lines = findings({"Chart.yaml": text.encode()})
    assert lines[0].startswith(f"deploy/chart/Chart.yaml{where}")


def test_a_chart_without_chart_yaml_is_refused() -> None:
    assert findings({"values.yaml": b""}) == ["deploy/chart/Chart.yaml: is missing"]


def test_several_faults_of_chart_yaml_are_told_at_once() -> None:
    assert len(findings({"Chart.yaml": b"apiVersion: v9\nname: 7\nversion: 1\n"})) == 3


def test_requirements_yaml_may_not_change_what_the_chart_is() -> None:
    files = PLAIN | {"requirements.yaml": b"dependencies: []\nname: other\n"}
    assert findings(files)[0].startswith("deploy/chart/requirements.yaml:2: $.name: ")


# --- refused: sub-charts -----------------------------------------------------


def test_a_dependency_that_is_not_vendored_is_refused() -> None:
    (line,) = findings({"Chart.yaml": needs()})
    assert line.startswith("deploy/chart/Chart.yaml:5: $.dependencies[0]: `redis` is not in")


@pytest.mark.parametrize("wanted", ["17.0.2", "=18.0.0", "v17.0.1-rc1"])
def test_a_sub_chart_of_another_version_is_refused(wanted: str) -> None:
    (line,) = findings(with_redis(needs(wanted)))
    assert "`17.0.1`" in line
    assert wanted.removeprefix("=") in line


def test_a_sub_chart_of_another_version_than_the_locked_one_is_refused() -> None:
    lock = b"dependencies:\n- {name: redis, version: 17.9.0}\n"
    (line,) = findings(with_redis(needs("^17.0.0")) | {"Chart.lock": lock})
    assert "`17.9.0`" in line


def test_a_left_over_sub_chart_beside_listed_ones_is_refused() -> None:
    extra = {"charts/old/Chart.yaml": chart_yaml("old", "1.0.0")}
    (line,) = findings(with_redis(needs()) | extra)
    assert line.startswith("deploy/chart/charts/old: ")


def test_a_sub_chart_without_chart_yaml_is_refused() -> None:
    lines = findings(PLAIN | {"charts/redis/values.yaml": b""})
    assert lines == ["deploy/chart/charts/redis/Chart.yaml: is missing"]


def test_a_file_that_is_no_chart_is_refused_below_charts() -> None:
    assert findings(PLAIN | {"charts/README.md": b""})[0].startswith(
        "deploy/chart/charts/README.md: "
    )


def test_the_dependencies_of_a_sub_chart_must_be_there_too() -> None:
    inner = chart_yaml("redis", "17.0.1", "dependencies:\n- {name: common, version: 2.0.0}\n")
    lines = findings(with_redis(needs(), {"Chart.yaml": inner}))
    assert lines[0].startswith("deploy/chart/charts/redis/Chart.yaml:5: ")


def test_a_packed_sub_chart_of_a_local_dependency_is_refused() -> None:
    files = {
        "Chart.yaml": needs(repository="file://../redis"),
        "charts/redis-17.0.1.tgz": packed(REDIS),
    }
    assert "unpack it" in findings(files)[0]


@pytest.mark.parametrize(
    "archive",
    [
        b"not an archive",
        packed(REDIS)[:-30],
        gzip.compress(b"\0" * 300 + b"x" * 300),
        tar(member("redis/Chart.yaml", kind=tarfile.SYMTYPE)),
        tar(member("redis/templates/x", kind=tarfile.LNKTYPE)),
        tar(member("redis/fifo", kind=tarfile.FIFOTYPE)),
        tar(member("redis/../../escape", size=1)),
        tar(member("/etc/cron.d/x", size=1)),
        tar(member("Chart.yaml", size=1)),
        tar(member("redis/values.yaml", size=1), member("other/values.yaml", size=2)),
        gzip.compress(b"\0" * (chart.MAX_UNPACKED + 1)),
        packed({"values.yaml": b""}),
        packed({"Chart.yaml": b"name: redis\n"}),
    ],
    ids=[
        "no archive", "cut off", "no tar", "symbolic link", "hard link", "pipe", "leads out",
        "absolute", "no directory", "twice", "bomb", "no Chart.yaml", "bad Chart.yaml",
    ],
)  # fmt: skip
def test_an_unsafe_packed_sub_chart_is_refused_with_its_name(archive: bytes) -> None:
    lines = findings({"Chart.yaml": needs(), "charts/redis-17.0.1.tgz": archive})
    assert lines[0].startswith("deploy/chart/charts/redis-17.0.1.tgz")


def test_archives_in_archives_share_one_limit() -> None:
    inner = packed({
        "Chart.yaml": chart_yaml("a", "1.0.0"),
        "zeros": b"\0" * (chart.MAX_UNPACKED // 3),
    })
    files = {f"charts/a{number}.tgz": inner for number in range(4)}
    nested = packed({"Chart.yaml": chart_yaml("b", "1.0.0"), **files}, directory="b")
    assert any("unpacks to more" in line for line in findings(PLAIN | {"charts/b.tgz": nested}))
