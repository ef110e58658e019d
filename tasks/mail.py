"""What is done about mail that is owed."""

from collections.abc import Mapping, Sequence

from tasks.app import app, run


@app.task(name="mail.send")
def send(jobs: Sequence[Mapping[str, str]]) -> int:
    """Hand owed mail to the mail server."""
    return run(jobs)
