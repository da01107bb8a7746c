"""OSC surfaces: a layout for TouchOSC."""
