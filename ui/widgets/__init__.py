"""What is seen and touched: widgets that show a model and call it, and decide nothing."""
