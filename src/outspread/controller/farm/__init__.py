"""The controller of a farm: command jobs on a shared queue of workers.

``scheduler`` decides, without clock, disk or network; ``farm_controller`` is its shell; ``farm_ledger`` keeps the tables.
"""
