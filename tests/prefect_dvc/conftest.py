"""Foreign projects for all tests of this folder."""

from prefect_fixtures import project, up_to_date

__all__ = ["project", "up_to_date"]
