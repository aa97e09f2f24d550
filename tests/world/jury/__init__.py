"""The jury: what machines really start, beside what `inspect` says of it."""
