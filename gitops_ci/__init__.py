"""Reviewed promotions from CI: one release, one merge request a stage, Argo CD does the rest."""

__version__ = "0.1.0"
