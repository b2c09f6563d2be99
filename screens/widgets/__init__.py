"""What the screens are built of; every module stands for itself, imported where used."""
