"""The messages of the service: one frozen dataclass for each OSC address and direction; no I/O.

arguments.py   the kinds of arguments: types, ranges, units, descriptions
base.py        what all messages share, and the registry
parameters.py  the parameters of live control
answers.py  connection.py  jobs.py  events.py  live.py  takes.py  service.py   the messages
reading.py     addresses and arguments to messages
reference.py   docs/osc.md
"""
