"""The commands that teach: `demo` and `schema`."""

from __future__ import annotations

from pathlib import Path

import click

from gitops_ci.cli.options import option

KINDS = ("application", "ops-repository", "hold", "release")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
def schema(kind: str) -> int:
    """Print the JSON Schema of a kind of file, for editors and other tools."""
    from gitops_ci import schemas

    click.echo(schemas.schema_text(kind), nl=False)
    return 0


@click.command()
@option(
    "--directory", type=click.Path(path_type=Path), default=Path("gitops-ci-demo"),
    show_default=True, of="demo", help="Where to play; made anew.",
)  # fmt: skip
@option("--quiet", of="demo", is_flag=True, help="Tell nothing, only check that it works.")
def demo(directory: Path, quiet: bool) -> int:
    """Watch a release travel through four stages, on a forge made here: no server, no cluster.

    Real git, real Helm and the real commands; only people, the cluster and the CI runner are
    played.
    """
    from gitops_ci.cli import run_demo

    return run_demo.demo(directory.absolute(), say=(lambda _: None) if quiet else run_demo.tell)
