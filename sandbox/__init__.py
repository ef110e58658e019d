"""The other side of every wire payproc talks on: simulators to run, click and break."""
