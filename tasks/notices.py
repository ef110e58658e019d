"""What is done with notices that were stored."""

from collections.abc import Mapping, Sequence

from tasks.app import app, run


@app.task(name="notice.apply")
def apply(jobs: Sequence[Mapping[str, str]]) -> int:
    """Apply stored notices to their payments."""
    return run(jobs)
