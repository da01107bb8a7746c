"""What the DAWs and live programs that people use need to reach the service: one folder a host.

Scripts that run inside a host are data here: `daw-bridge install-scripts` puts them where the host looks.
"""
