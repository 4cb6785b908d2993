"""The way from each older schema to the present one; run by ``schema_upgrade`` only."""
