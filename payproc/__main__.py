"""`python -m payproc`."""

from payproc.cli import app

app(prog_name="python -m payproc")
