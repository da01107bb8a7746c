"""The service seen from Qt: asked without waiting, listened to, lost and found again."""
