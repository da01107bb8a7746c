"""What says what the next render will be: prompt, task, numbers, presets, effects, model."""
