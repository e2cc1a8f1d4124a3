"""The program: `gitops-ci`, or `python -m gitops_ci`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end with its exit code."""
    from gitops_ci.cli import run  # imported here, so that nothing is loaded by importing this

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
