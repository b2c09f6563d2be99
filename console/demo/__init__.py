"""`opsdeck demo`: the whole loop on the example workspace, watched or checked."""

from console.demo.run import run_demo

__all__ = ["run_demo"]
