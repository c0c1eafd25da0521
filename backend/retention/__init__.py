"""What takes the disk, how it is freed, and what of it goes by itself after a while."""
