"""What the installation as a whole keeps."""
