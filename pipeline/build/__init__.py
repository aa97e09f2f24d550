"""From a step to files: the cache, the sandbox, the checks, and what is published."""
