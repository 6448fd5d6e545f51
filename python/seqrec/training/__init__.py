"""Training: losses, the loop, and the one safe artifact that it leaves behind."""
