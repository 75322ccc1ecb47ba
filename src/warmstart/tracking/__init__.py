"""MLflow as a view of the records: what it lacks is published, and nothing is decided here.

Every run is found again by a digest of what it shows, so publishing twice changes nothing, and a
lost database, an outage or a killed publisher are made up for by the next publishing. MLflow itself
is imported only when there is something to publish.
"""
