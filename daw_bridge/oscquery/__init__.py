"""OSCQuery: the address space over HTTP, and parameters over a websocket on the same port.

tree.py      the nodes, made from the message classes; no I/O
web.py       what an HTTP request asks for, and whether it may; no I/O
server.py    the sockets
announce.py  zeroconf, so that others find the service
"""
