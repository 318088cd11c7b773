"""What the notifier decides: plain functions over plain values."""
