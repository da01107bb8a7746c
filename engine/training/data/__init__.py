"""Recorded sounds as training clips: lists of them, cutting, shards, and how batches are drawn."""
