"""Every job, spec, take and error, in SQLite; the journal that the service starts again from."""
