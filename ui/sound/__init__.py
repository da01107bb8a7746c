"""Sounds as pictures: peaks, spectrogram tiles, beats; numpy and files, no Qt."""
