"""Foreign projects, and one Prefect server for all tests of this folder."""

from prefect_fixtures import first, flow, fresh, project, server, up_to_date

__all__ = ["first", "flow", "fresh", "project", "server", "up_to_date"]
