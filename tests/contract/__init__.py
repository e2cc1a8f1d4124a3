"""What every adapter must do alike, over real implementations."""
