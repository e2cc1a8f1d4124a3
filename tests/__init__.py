"""The tests of gitops-ci, and what they stand on (`tests.support`)."""
