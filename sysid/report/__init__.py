"""Self-contained HTML reports: the page, its figures, the demonstration, and the report on a user's file."""
