"""What workers decide: plain functions over plain values."""
