"""Live control apart from the wire: what the next queued job is made with, and how it is changed.

parameters.py  where a spec has each parameter, and the defaults
morph.py       presets as values, and what lies between two of them
board.py       the parameters as they are now, and their glides
specs.py       requests to specs
presets.py     presets as files
"""
