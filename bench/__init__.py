"""What Outspread costs: each figure beside its bound, the yardsticks of the machine first."""
