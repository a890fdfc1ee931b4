"""The database: our own tables are the truth about every job."""
