"""How models of this project were made."""
