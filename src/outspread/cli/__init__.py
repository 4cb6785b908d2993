"""The hand: argument parsing and printing only."""
