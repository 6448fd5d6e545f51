"""From a raw log of who took what to sequences, splits and evaluation pairs."""
