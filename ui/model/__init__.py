"""What the panel knows and decides, without a window: QObjects that tell when they change."""
