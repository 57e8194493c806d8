"""From operators to a training or inference step."""
