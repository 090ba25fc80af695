"""What is read from answers in each dialect."""
