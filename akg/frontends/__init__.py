"""What other systems hand over."""
