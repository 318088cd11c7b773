"""What authsvc decides: plain functions over plain values."""
