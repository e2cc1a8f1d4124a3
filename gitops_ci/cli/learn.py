"""The commands that teach: `demo` and `schema`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gitops_ci import config
from gitops_ci.cli.options import option


@click.command()
@option("--kind", type=click.Choice(config.KINDS), required=True, help="The kind of file.")
def schema(kind: str) -> int:
    """Print the JSON Schema of a kind of file, for editors and other tools."""
    click.echo(config.schema_text(kind), nl=False)
    return 0
