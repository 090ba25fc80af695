"""What becomes of memories once they are written."""
