"""A model of REAPER's script interface that lets through only what its makers have published."""
